"""Rows whose references lead nowhere, put aside: written as JSON lines that can be loaded once what they need is there.

A row that refers to one put aside is an orphan as well, and so on until nothing is left that leads nowhere.
"""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_import.schema import Column, ForeignKey, Table, quoted
from sqlite_import.values import Refused, codec, instant


@dataclass(frozen=True)
class Orphans:
    """The list of rows put aside, in a database of its own beside the snapshot."""

    path: Path

    def attach(self, connection: sqlite3.Connection) -> None:
        connection.execute("ATTACH ? AS aside", (str(self.path),))

    def create(self) -> None:
        connection = sqlite3.connect(self.path)
        connection.execute("CREATE TABLE orphans (tbl TEXT, row INTEGER, reference TEXT, PRIMARY KEY (tbl, row)) WITHOUT ROWID")
        connection.commit()
        connection.close()

    def without(self, table: str, alias: str) -> str:
        """A condition: the row of `alias` is not put aside."""
        return f"NOT EXISTS (SELECT 1 FROM aside.orphans WHERE tbl = '{_text(table)}' AND row = {alias}.rowid)"


def collect(
    connection: sqlite3.Connection, tables: dict[str, Table], orphans: Orphans, condition: Callable[[Table, ForeignKey], str]
) -> Counter[str]:
    """Find all of them, round after round; returns how many of each reference."""
    found: Counter[str] = Counter()
    while True:
        before = found.total()
        for table in tables.values():
            for reference in table.foreign_keys:
                done = connection.execute(
                    f"INSERT OR IGNORE INTO aside.orphans SELECT '{_text(table.name)}', child.rowid, '{_text(reference.name)}' "
                    f"{condition(table, reference)}"
                )
                found[f"{table.name}.{', '.join(reference.columns)}"] += done.rowcount
        connection.commit()
        if found.total() == before:
            return +found


def keys(connection: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """The primary keys of the rows of a table that were put aside."""
    columns = ", ".join(f"t.{quoted(name)}" for name in table.primary_key.columns)
    yield from connection.execute(
        f"SELECT {columns} FROM {quoted(table.name)} AS t JOIN aside.orphans AS o ON o.tbl = ? AND o.row = t.rowid", (table.name,)
    )


def write(connection: sqlite3.Connection, tables: dict[str, Table], folder: Path) -> dict[str, int]:
    """One file of JSON lines for each table that has any, closed to others: they hold people's data. Returns rows by file.

    Each line is a row as an object, as PostgreSQL's json_populate_record takes it. Times are UTC.
    """
    folder.mkdir(parents=True, mode=0o700)
    written = {}
    for table in tables.values():
        columns = [column.name for column in table.columns]
        rows = connection.execute(
            f"SELECT {', '.join('t.' + quoted(name) for name in columns)} FROM {quoted(table.name)} AS t "
            "JOIN aside.orphans AS o ON o.tbl = ? AND o.row = t.rowid",
            (table.name,),
        )
        first = rows.fetchone()
        if first is None:
            continue
        path = folder / f"{table.name}.jsonl"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            count = 0
            for row in (first, *rows):
                file.write(_line(table, row) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        written[path.name] = count
    return written


def _line(table: Table, row: Sequence[Any]) -> str:
    """A row as a JSON object: what json_populate_record makes of it is what an import would have made of the row."""
    pairs = zip(table.columns, row, strict=True)
    return "{" + ", ".join(f"{json.dumps(column.name)}: {_value(column, value)}" for column, value in pairs) + "}"


def _value(column: Column, value: Any) -> str:
    """As JSON has it. What an import would have refused is left as it is: PostgreSQL says so when it is loaded."""
    if column.type == "json" and value is not None:
        try:
            # Not as text: that would be loaded as a JSON string. A line has one line, and line ends in JSON mean nothing.
            return re.sub(r"[\r\n]", " ", codec(column).one(value)[4:].decode())
        except Refused:
            pass
    if isinstance(value, float) and math.isinf(value):
        # JSON has no such number; PostgreSQL reads the text.
        return json.dumps("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, bytearray) and column.type.startswith("timestamp"):
        return json.dumps(_moment(column.type, value), ensure_ascii=False)
    return json.dumps(_plain(value), ensure_ascii=False)


def _moment(kind: str, value: bytearray) -> Any:
    """PostgreSQL would take a time without a zone for the session's, and leave a zone unread where the column has none."""
    try:
        stamp = instant(value)
    except Refused:
        return _plain(value)
    return stamp.isoformat(sep=" ") + ("+00" if kind == "timestamp with time zone" else "")


def _plain(value: Any) -> Any:
    """As JSON has it; bytes, and text that is not UTF-8, as PostgreSQL writes bytes."""
    if isinstance(value, bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return f"\\x{value.hex()}"
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _text(name: str) -> str:
    return name.replace("'", "''")
