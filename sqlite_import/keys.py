"""What must hold between rows: keys without doubles, references that lead somewhere, entries that fit into an index.

SQLite answers these on the snapshot. It compares byte by byte here (BINARY) as PostgreSQL will, whatever the file declares.
Values of a wrong class are left to `values`, which names them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sqlite_import.findings import Finding, key_text, shown
from sqlite_import.orphans import Orphans
from sqlite_import.schema import TEXTS, ForeignKey, Key, Table, quoted, quoted_list

# Bytes that one entry of a B-tree may have: a third of a page of 8 kB (PostgreSQL, nbtree.h, BTMaxItemSize).
INDEX_ENTRY = 2704
# Of these an entry spends on itself, and at most so much on each column besides its bytes.
ENTRY_HEADER, COLUMN_HEADER = 8, 8


def doubles(connection: sqlite3.Connection, table: Table) -> Iterator[Finding]:
    """Values that a key allows once and the file has more often. NULLs are never equal, in both databases.

    Keys that SQLite itself holds to the same rule are left to its integrity check, which says so of each of their indexes.
    """
    held = _held(connection, table.name)
    for key in table.keys:
        if frozenset(key.columns) in held:
            continue
        columns = ", ".join(f"{quoted(name)} COLLATE BINARY" for name in key.columns)
        present = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key.columns)
        query = (
            f"SELECT {quoted_list(key.columns)}, count(*) FROM {quoted(table.name)} "
            f"WHERE {present} GROUP BY {columns} HAVING count(*) > 1"
        )
        for *values, count in connection.execute(query):
            yield Finding(
                "duplicate",
                f"is there {count} times, and {key.name} allows it once",
                "decide which row is the right one, and change or delete the others in SQLite",
                table=table.name,
                key=key_text(key.columns, tuple(values)),
                column=", ".join(key.columns),
                value=", ".join(shown(value, name) for name, value in zip(key.columns, values, strict=True)),
            )


def _held(connection: sqlite3.Connection, table: str) -> set[frozenset[str]]:
    """Columns that the file allows once, byte by byte: unique indexes over whole tables, and the row number under a name."""
    found = set()
    for (index,) in connection.execute('SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (table,)):
        columns = connection.execute("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", (index.decode(),)).fetchall()
        if all(name is not None and collation == b"BINARY" for name, collation in columns):
            found.add(frozenset(name.decode() for name, _ in columns))
    key = connection.execute("SELECT name, type FROM pragma_table_info(?) WHERE pk", (table,)).fetchall()
    if len(key) == 1 and key[0][1].upper() == b"INTEGER":
        found.add(frozenset((key[0][0].decode(),)))
    return found


def too_long(connection: sqlite3.Connection, table: Table) -> Iterator[Finding]:
    """Texts that an index of PostgreSQL does not take for sure. (It compresses some; what then fits is not known before.)"""
    indexes = [(index, _texts(table, index)) for index in (*table.keys, *table.indexes)]
    indexes = [(index, texts) for index, texts in indexes if texts]
    if not indexes:
        return
    # One look at the table for all of them: it nearly always finds nothing.
    over = " OR ".join(f"{_bytes(texts)} > {_room(index)}" for index, texts in indexes)
    if not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {quoted(table.name)} WHERE {over})").fetchone()[0]:
        return
    key = table.primary_key.columns
    for index, texts in indexes:
        query = f"SELECT {quoted_list(key)}, {_bytes(texts)} AS bytes FROM {quoted(table.name)} WHERE bytes > {_room(index)}"
        for *values, count in connection.execute(query):
            yield Finding(
                "index-size",
                f"has {count:,} bytes, and the index {index.name} takes {_room(index):,}",
                "shorten it",
                table=table.name,
                key=key_text(key, tuple(values)),
                column=", ".join(index.columns),
            )


def _texts(table: Table, index: Key) -> list[str]:
    return [name for name in index.columns if table.column(name).type in TEXTS]


def _bytes(texts: list[str]) -> str:
    return "(" + " + ".join(f"coalesce(length(CAST({quoted(name)} AS BLOB)), 0)" for name in texts) + ")"


def _room(index: Key) -> int:
    return INDEX_ENTRY - ENTRY_HEADER - COLUMN_HEADER * len(index.columns)


def dangling(
    connection: sqlite3.Connection, table: Table, schema: dict[str, Table], put_aside: Orphans | None
) -> Iterator[Finding]:
    """References to rows that do not exist, or that were put aside. SQLite enforces them only when asked to."""
    for reference in table.foreign_keys:
        key = table.primary_key.columns
        query = (
            f"SELECT {', '.join('child.' + quoted(name) for name in (*key, *reference.columns))} "
            f"{orphans_of(table, reference, schema, put_aside)}"
        )
        for values in connection.execute(query):
            row, missing = values[: len(key)], values[len(key) :]
            yield Finding(
                "orphan",
                f"refers to a row of {reference.parent} that does not exist ({reference.name})",
                "--quarantine-orphans DIR puts such rows aside; or restore the row, or set NULL where that is right",
                table=table.name,
                key=key_text(key, row),
                column=", ".join(reference.columns),
                value=", ".join(shown(value, name) for name, value in zip(reference.columns, missing, strict=True)),
            )


def orphans_of(table: Table, reference: ForeignKey, schema: dict[str, Table], put_aside: Orphans | None) -> str:
    """FROM and WHERE of the rows (as `child`) whose reference leads nowhere."""
    pairs = list(zip(reference.columns, reference.parent_columns, strict=True))
    present = " AND ".join(f"child.{quoted(column)} IS NOT NULL" for column, _ in pairs)
    # Of the parent's storage class only: the others are found as such.
    classes = " AND ".join(
        f"typeof(child.{quoted(column)}) = '{'text' if schema[reference.parent].column(parent).type in TEXTS else 'integer'}'"
        for column, parent in pairs
    )
    same = " AND ".join(f"parent.{quoted(parent)} = child.{quoted(column)} COLLATE BINARY" for column, parent in pairs)
    here = f" AND {put_aside.without(table.name, 'child')}" if put_aside else ""
    there = f" AND {put_aside.without(reference.parent, 'parent')}" if put_aside else ""
    return (
        f"FROM {quoted(table.name)} AS child WHERE {present} AND {classes}{here} "
        f"AND NOT EXISTS (SELECT 1 FROM {quoted(reference.parent)} AS parent WHERE {same}{there})"
    )
