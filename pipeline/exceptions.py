"""What Trivy is told to leave out of its report for a while (.trivyignore.yaml): which, in what, why, and until when.

Trivy itself would also take an entry without any of these, for every package and for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import yaml

from signupflow.errors import OperatorError

KEYS = {"id", "purls", "statement", "expired_at"}
ID = re.compile(r"(CVE-[0-9]{4}-[0-9]{4,}|GHSA(-[0-9a-z]{4}){3}|[A-Z]+(-[A-Za-z0-9]+)+)")
PACKAGE = re.compile(r"pkg:[a-z]+(/[A-Za-z0-9.+_%~-]+)+(@[^\s*?]+)?")
LONGEST = timedelta(days=30)


@dataclass(frozen=True)
class Exempt:
    """One reviewed exception. `until` is the first day on which it does not count any more."""

    id: str
    until: date


def parse(text: str, path: str, today: date) -> tuple[Exempt, ...]:
    """All entries, those that ran out included; OperatorError names the first that is wrong."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise OperatorError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or set(found) != {"vulnerabilities"} or not isinstance(found["vulnerabilities"], list):
        raise OperatorError(f"{path} must hold one key, vulnerabilities, with a list of entries")
    return tuple(_entry(entry, f"{path}, entry {number}", today) for number, entry in enumerate(found["vulnerabilities"], 1))


def _entry(entry: Any, where: str, today: date) -> Exempt:
    if not isinstance(entry, Mapping) or (faults := sorted(KEYS ^ set(map(str, entry)))):
        named = (
            f"{faults[0]} {'is missing' if faults[0] in KEYS else 'is no key of an entry'}"
            if isinstance(entry, Mapping)
            else "it"
        )
        raise OperatorError(f"{where}: {named}; an entry has id, purls, statement and expired_at")
    if not isinstance(entry["id"], str) or not ID.fullmatch(entry["id"]):
        raise OperatorError(f"{where}: {entry['id']!r} is no id such as CVE-2026-12345; one entry for each, no patterns")
    packages = entry["purls"]
    if not isinstance(packages, list) or not packages or not all(PACKAGE.fullmatch(str(item)) for item in packages):
        raise OperatorError(f"{where}: purls must list packages such as pkg:deb/debian/libssl3t64")
    if not isinstance(entry["statement"], str) or not entry["statement"].strip():
        raise OperatorError(f"{where}: statement must say why it cannot be used against this image")
    until = entry["expired_at"]
    if type(until) is not date:
        raise OperatorError(f"{where}: expired_at must be a date such as 2026-12-31, without quotes")
    if until > today + LONGEST:
        raise OperatorError(f"{where}: expired_at is more than {LONGEST.days} days away; a later one is another review")
    return Exempt(entry["id"], until)
