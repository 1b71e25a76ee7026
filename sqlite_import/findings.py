"""What stands in the way of an import, row by row: kept in a file, so that a million of them take no memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Characters of a value that a report shows.
SHOWN = 60
# Columns whose values open doors are named, never shown.
SECRET = re.compile(r"password|token|secret|code$", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """One reason: `key` is the row's primary key, `value` the shortened value, `code` the class it belongs to.

    Table, key and column are None where a finding is of the whole file, or of a whole table or column.
    """

    code: str
    reason: str
    advice: str
    table: str | None = None
    key: str | None = None
    column: str | None = None
    value: str | None = None

    @property
    def place(self) -> str:
        where = ".".join(part for part in (self.table, self.column) if part) or "the file"
        return f"{where}[{self.key}]" if self.key is not None else where


class Findings:
    """A list of findings in a file of JSON lines; one that exists already is gone on with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = path.open("a+")
        self._file.seek(0)
        self.counts.update(json.loads(line)["code"] for line in self._file)

    def add(self, finding: Finding) -> None:
        self._file.write(json.dumps(asdict(finding)) + "\n")
        self.counts[finding.code] += 1

    def extend(self, found: Iterable[Finding]) -> None:
        for finding in found:
            self.add(finding)

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Finding]:
        if not self._file.closed:
            self._file.flush()
        with self.path.open() as lines:
            for line in lines:
                yield Finding(**json.loads(line))

    def __len__(self) -> int:
        return self.counts.total()

    def __bool__(self) -> bool:
        return len(self) > 0


def shown(value: object, column: str = "") -> str:
    """A value shortened for a report; none of a column that holds secrets."""
    if value is None:
        return "NULL"
    if SECRET.search(column):
        size = len(value) if isinstance(value, bytes | bytearray | str) else len(str(value))
        return f"(not shown, {size} bytes)"
    text = value_text(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} characters)"


def value_text(value: object) -> str:
    """Text as it is as far as it is UTF-8, bytes as hexadecimal digits; control characters escaped."""
    if isinstance(value, bytes):
        # Twice as many digits as bytes; no more are ever shown.
        return "x'" + value[: SHOWN + 1].hex() + "'"
    if isinstance(value, bytearray):
        value = value[: 8 * SHOWN].decode("utf-8", "backslashreplace") + ("" if len(value) <= 8 * SHOWN else " ...")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(value))


def key_text(columns: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """A row's key as a report shows it: `id=17`, or `org_id=a, month_year=2026-01`."""
    return ", ".join(f"{name}={shown(value, name)}" for name, value in zip(columns, values, strict=True))
