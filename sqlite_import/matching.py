"""Whether the file is of the release that the schema was built for: revision, tables and columns, beside each other."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlite_import.findings import Finding
from sqlite_import.schema import Schema, quoted
from sqlite_import.source import SourceTable

VERSION_TABLE = "alembic_version"
# SignUpFlow's own revisions before the one that this repository begins with, oldest first (SCHEMA.md, the app's history).
OLDER = ("f18c6691c7ab", "7ba388eecd31", "739ba7ba574c", "cf7914ee40c0", "a3c5d7e9b1f2")
FORWARD = "DATABASE_URL=sqlite:///{path} alembic upgrade {head}"


@dataclass(frozen=True)
class Extra:
    """A table or column of the file that the schema lacks and that holds nothing."""

    table: str
    column: str | None

    @property
    def place(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


@dataclass(frozen=True)
class Match:
    revision: str | None
    findings: tuple[Finding, ...]
    left_out: tuple[Extra, ...]


def match(connection: sqlite3.Connection, tables: dict[str, SourceTable], schema: Schema, path: str, ignore_empty: bool) -> Match:
    """Compare the file with the schema. What is empty and only in the file is left out when told so."""
    revision, findings = _revision(connection, tables, schema, path)
    if findings:
        # Of an older file every later difference follows; they would hide what to do.
        return Match(revision, tuple(findings), ())
    left_out: list[Extra] = []
    for name, table in schema.tables.items():
        if name not in tables:
            findings.append(_lacking(name, None))
            continue
        there = {column.name for column in tables[name].columns}
        findings += [_lacking(name, column.name) for column in table.columns if column.name not in there]
        wanted = {column.name for column in table.columns}
        left_out += [Extra(name, column.name) for column in tables[name].columns if column.name not in wanted]
    left_out += [Extra(name, None) for name in tables if name not in schema.tables and name != VERSION_TABLE]
    for extra in left_out:
        empty = not _holds(connection, extra)
        if empty and ignore_empty:
            continue
        advice = "--ignore-empty leaves it out" if empty else "deploy the release that knows it, or move its content away first"
        state = ", and is empty" if empty else ""
        code = "extra-column" if extra.column else "extra-table"
        findings.append(Finding(code, f"is not in the schema{state}", advice, table=extra.table, column=extra.column))
    return Match(revision, tuple(findings), tuple(left_out) if ignore_empty and not findings else ())


def _revision(
    connection: sqlite3.Connection, tables: dict[str, SourceTable], schema: Schema, path: str
) -> tuple[str | None, list[Finding]]:
    """The file's revision; None when it has none, which is accepted when its tables match."""
    columns = {column.name for column in tables[VERSION_TABLE].columns} if VERSION_TABLE in tables else set()
    if "version_num" not in columns:
        return None, []
    # Through text whatever it is stored as: a revision is compared, not carried.
    rows = connection.execute(f"SELECT CAST(version_num AS TEXT) FROM {VERSION_TABLE} WHERE version_num IS NOT NULL LIMIT 100")
    found = sorted(row[0].decode(errors="replace") for row in rows)
    head = schema.revisions[0]
    if not found or found == [head]:
        return (found or [None])[0], []
    forward = FORWARD.format(path=path, head=head)
    if len(found) > 1:
        return None, [
            Finding(
                "two-heads",
                f"stands at {len(found)} revisions at once: {', '.join(found[:5])}",
                f"bring a copy to one, in SignUpFlow's own repository: {forward}",
            )
        ]
    if found[0] in OLDER:
        return found[0], [
            Finding(
                "old-revision",
                f"is of the older revision {found[0]}; the schema is of {head}",
                f"bring a copy of it forward, in SignUpFlow's own repository: {forward}",
            )
        ]
    return found[0], [
        Finding(
            "unknown-revision",
            f"is of revision {found[0]}, which is not known; the schema is of {head}",
            "build the target with the release that made the file, and migrate with that one",
        )
    ]


def _lacking(table: str, column: str | None) -> Finding:
    code = "missing-column" if column else "missing-table"
    return Finding(
        code, "is in the schema and not in the file", "name the application's whole database", table=table, column=column
    )


def _holds(connection: sqlite3.Connection, extra: Extra) -> bool:
    condition = f" WHERE {quoted(extra.column)} IS NOT NULL" if extra.column else ""
    return connection.execute(f"SELECT 1 FROM {quoted(extra.table)}{condition} LIMIT 1").fetchone() is not None
