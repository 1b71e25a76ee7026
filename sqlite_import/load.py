"""The load: one transaction that ends with every row compared, or as if it had never begun.

Keys and indexes are taken away first and built again over the full tables, which is several times quicker than keeping them
up to date row by row. TRUNCATE and ALTER SEQUENCE ... RESTART give tables and sequences new files that a rollback throws
away, so that a failed load leaves not even dead rows behind. Source: PostgreSQL's documentation, Populating a Database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from sqlite_import import target
from sqlite_import.matching import VERSION_TABLE
from sqlite_import.reading import Read
from sqlite_import.schema import TEXTS, Schema, Sequence, Table

# Bytes for building an index; within what the shipped PostgreSQL setting leaves free.
INDEX_MEMORY = "256MB"
CHUNK = 1 << 18


class Failed(Exception):
    """The load did not come to its end; `committed` is None when the connection was lost while committing."""

    def __init__(self, text: str, committed: bool | None = False) -> None:
        super().__init__(text)
        self.committed = committed


class Different(Exception):
    """What PostgreSQL holds is not what was sent."""


@dataclass(frozen=True)
class Definition:
    """A constraint or an index as SQL: how to take it away and how to make it again."""

    table: str
    name: str
    drop: str
    create: str


@dataclass(frozen=True)
class Next:
    """A sequence's next value; `exhausted` when the column's type has none left."""

    sequence: str
    value: int
    exhausted: bool = False


@dataclass(frozen=True)
class Loaded:
    """Digests as read back, by table; the sequences' next values."""

    digests: dict[str, str]
    sequences: tuple[Next, ...]


def load(
    connection: Any,
    schema: Schema,
    reads: dict[str, Read],
    folder: Path,
    highest: Callable[[Table, Sequence], int | None],
    phase: Callable[[str], None],
    sent: Callable[[int], None],
) -> Loaded:
    """Everything in one transaction. Raises Unready, Failed, Different; then the target is as before.

    `highest` tells the greatest number ever given to a column in SQLite; `phase` hears what begins, `sent` bytes on the way.
    """
    try:
        with connection.cursor() as cursor:
            phase("load")
            target.lock_and_check_empty(cursor, schema)
            if target.read(cursor) != schema:
                raise target.Unready("the target's schema was changed while the file was read; run again")
            constraints, indexes = _definitions(cursor)
            _without(cursor, constraints, indexes, schema)
            for table in schema.tables.values():
                _copy(cursor, table, folder / f"{table.name}.copy", sent)
            phase("index")
            cursor.execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'")
            for definition in (*constraints, *indexes):
                cursor.execute(definition.create)
            if _definitions(cursor) != (constraints, indexes):
                raise Failed("keys and indexes came back different from what they were; nothing was kept")
            nexts = tuple(
                _restart(cursor, table, sequence, highest(table, sequence))
                for table in schema.tables.values()
                for sequence in table.sequences
            )
            phase("verify")
            digests = {name: digest(cursor, table) for name, table in schema.tables.items()}
            compare({name: each.digest for name, each in reads.items()}, digests)
            phase("analyze")
            cursor.execute("ANALYZE " + ", ".join(map(_quoted, schema.tables)))
    except psycopg2.Error as error:
        raise Failed(_explained(error)) from None
    phase("commit")
    try:
        connection.commit()
    except psycopg2.Error as error:
        raise Failed(f"the connection was lost while committing: {target.reason(error)}", committed=None) from None
    return Loaded(digests, nexts)


def compare(sent: dict[str, str], found: dict[str, str]) -> None:
    different = [name for name in sent if sent[name] != found[name]]
    if different:
        raise Different(f"what PostgreSQL holds differs from the file in {', '.join(different)}")


def digest(cursor: Any, table: Table) -> str:
    """SHA-256 of a table's rows, in the order of its primary key, as binary COPY writes them."""
    hashed = hashlib.sha256()
    copy_out(cursor, table, hashed.update)
    return hashed.hexdigest()


def copy_out(cursor: Any, table: Table, write: Callable[[bytes], Any]) -> None:
    """The same columns in the same order as they are sent: by the key's bytes, whatever the database's collation is."""
    as_bytes = _ordered_by_bytes(cursor)
    order = ", ".join(
        _name(name) + (' COLLATE "C"' if not as_bytes and table.column(name).type in TEXTS else "")
        for name in table.primary_key.columns
    )
    query = f"COPY (SELECT {_columns(table)} FROM {_quoted(table.name)} ORDER BY {order}) TO STDOUT WITH (FORMAT binary)"
    cursor.copy_expert(query, _Writer(write), CHUNK)


def _ordered_by_bytes(cursor: Any) -> bool:
    """Whether the database's own order is that of bytes, so that an index serves."""
    cursor.execute(
        "SELECT datlocprovider = 'b' OR datcollate IN ('C', 'POSIX') FROM pg_database WHERE datname = current_database()"
    )
    return bool(cursor.fetchone()[0])


def _definitions(cursor: Any) -> tuple[list[Definition], list[Definition]]:
    """Constraints in the order in which they can be made again, and the indexes that no constraint brings along."""
    cursor.execute(_CONSTRAINTS, (target.SCHEMA,))
    constraints = [
        Definition(
            table,
            name,
            f"ALTER TABLE {_quoted(table)} DROP CONSTRAINT {_name(name)}",
            f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_name(name)} {text}",
        )
        for table, name, text in cursor.fetchall()
    ]
    cursor.execute(_INDEXES, (target.SCHEMA,))
    indexes = [Definition(table, name, f"DROP INDEX {_quoted(name)}", text) for table, name, text in cursor.fetchall()]
    return constraints, indexes


def _without(cursor: Any, constraints: list[Definition], indexes: list[Definition], schema: Schema) -> None:
    # References first: a key that is referred to cannot go.
    for definition in (*reversed(constraints), *indexes):
        cursor.execute(definition.drop)
    cursor.execute("TRUNCATE " + ", ".join(map(_quoted, schema.tables)))


def _copy(cursor: Any, table: Table, path: Path, sent: Callable[[int], None]) -> None:
    with path.open("rb", buffering=0) as file:
        query = f"COPY {_quoted(table.name)} ({_columns(table)}) FROM STDIN WITH (FORMAT binary, FREEZE)"
        cursor.copy_expert(query, _Reader(file, sent), CHUNK)


def _restart(cursor: Any, table: Table, sequence: Sequence, highest: int | None) -> Next:
    """The sequence goes on after the highest number that was ever given; an empty table begins at 1."""
    following = max(1, (highest or 0) + 1)
    exhausted = following > sequence.maximum
    name = _quoted(sequence.name)
    cursor.execute(f"ALTER SEQUENCE {name} RESTART WITH {min(following, sequence.maximum)}")
    if exhausted:
        # Then the next value is refused by the sequence itself. In the transaction: RESTART gave it a new file.
        cursor.execute("SELECT nextval(%s)", (name,))
    return Next(f"{table.name}.{sequence.column}", following, exhausted)


def _explained(error: psycopg2.Error) -> str:
    text = target.reason(error)
    if isinstance(error, psycopg2.errors.DiskFull):
        return f"the target's disk is full: {text}; free some room and run again"
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and not error.pgcode:
        return f"the connection to the target was lost: {text}; run again"
    return f"the target refused: {text}"


class _Reader:
    """A file that says how far it was read."""

    def __init__(self, file: Any, sent: Callable[[int], None]) -> None:
        self.file, self.sent = file, sent

    def read(self, size: int) -> bytes:
        data: bytes = self.file.read(size)
        self.sent(len(data))
        return data


class _Writer:
    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self.write = write


@contextmanager
def read_only(connection: Any) -> Iterator[Any]:
    """One moment of the target, for comparing."""
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with connection.cursor() as cursor:
        yield cursor
    connection.rollback()


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(name: str) -> str:
    return f"{target.SCHEMA}.{_name(name)}"


def _columns(table: Table) -> str:
    return ", ".join(_name(column.name) for column in table.columns)


# Primary keys and unique ones before the references that need them.
_CONSTRAINTS = f"""
SELECT c.relname, o.conname, pg_get_constraintdef(o.oid)
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND o.contype IN ('p', 'u', 'f') AND c.relname <> '{VERSION_TABLE}'
ORDER BY o.contype = 'f', c.relname, o.conname
"""
_INDEXES = f"""
SELECT c.relname, x.relname, pg_get_indexdef(x.oid)
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname <> '{VERSION_TABLE}'
AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.indexrelid AND o.contype <> 'f')
ORDER BY c.relname, x.relname
"""
