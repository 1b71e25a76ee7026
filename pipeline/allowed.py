"""Vulnerabilities that may be shipped for a while: which, in what, why, and until when."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from signupflow.errors import OperatorError

KEYS = {"id", "package", "reason", "until"}
ID = re.compile(r"(CVE-[0-9]{4}-[0-9]{4,}|GHSA(-[0-9a-z]{4}){3}|[A-Z]+(-[A-Za-z0-9]+)+)")


@dataclass(frozen=True)
class Allowed:
    """One reviewed exception. `until` is the last day on which it counts."""

    id: str
    package: str
    reason: str
    until: date

    def counts(self, today: date) -> bool:
        return today <= self.until


def parse(text: str, path: str) -> tuple[Allowed, ...]:
    """All entries of an allow-list, those that ran out included; OperatorError names the first that is wrong."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is no TOML: {error}") from None
    if unknown := sorted(set(found) - {"allowed"}):
        raise OperatorError(f"{path}: {unknown[0]} is no key of an allow-list; it holds [[allowed]] entries only")
    entries = found.get("allowed", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise OperatorError(f"{path}: allowed must be written as [[allowed]] entries")
    return tuple(_entry(entry, f"{path}, entry {number}") for number, entry in enumerate(entries, 1))


def _entry(entry: Mapping[str, Any], where: str) -> Allowed:
    if faults := sorted(KEYS ^ set(entry)):
        wrong = "is missing" if faults[0] in KEYS else "is no key of an entry"
        raise OperatorError(f"{where}: {faults[0]} {wrong}; an entry has id, package, reason and until")
    texts = {name: entry[name] for name in ("id", "package", "reason")}
    for name, value in texts.items():
        if not isinstance(value, str) or not value.strip():
            raise OperatorError(f"{where}: {name} must be text")
    if not ID.fullmatch(texts["id"]):
        raise OperatorError(f"{where}: {texts['id']!r} is no id such as CVE-2026-12345; one entry for each, no patterns")
    if type(entry["until"]) is not date:
        raise OperatorError(f"{where}: until must be a date such as 2026-12-31, without quotes")
    return Allowed(**texts, until=entry["until"])


def covering(entries: Iterable[Allowed], id: str, package: str) -> Allowed | None:
    """The entry for a vulnerability in a package, the longest-lived when there are several."""
    found = [entry for entry in entries if (entry.id, entry.package) == (id, package)]
    return max(found, key=lambda entry: entry.until, default=None)
