"""The PostgreSQL side before anything is written: reachable, built by Alembic, empty, and what its catalog says.

Source of the catalog's meaning: PostgreSQL's documentation, System Catalogs (pg_class, pg_attribute, pg_constraint, pg_index).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql

from sqlite_import.matching import VERSION_TABLE
from sqlite_import.schema import Column, ForeignKey, Key, Schema, Sequence, Table
from sqlite_import.values import codec

OLDEST = 15
CONNECT_TIMEOUT = 10
# The lock that Alembic's migrations take (alembic/env.py): neither runs beside the other.
ADVISORY_LOCK = 7_468_311
# How long to wait for a table that somebody uses.
LOCK_TIMEOUT = "10s"
SCHEMA = "public"


class Unready(Exception):
    """The target cannot take an import: not reachable, not empty, or not the schema. The text says what to do."""


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A connection whose session is pinned to UTC, whatever server, database and role say. Raises Unready."""
    try:
        connection = psycopg2.connect(
            url,
            connect_timeout=CONNECT_TIMEOUT,
            application_name="signupflow-sqlite-import",
            options="-c timezone=UTC -c synchronize_seqscans=off -c statement_timeout=0 -c idle_in_transaction_session_timeout=0",
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
    except (psycopg2.Error, UnicodeError, ValueError) as error:
        raise Unready(f"cannot connect to the target: {reason(error)}") from None
    try:
        version = connection.server_version // 10000
        if version < OLDEST:
            raise Unready(f"the target is PostgreSQL {version}; {OLDEST} is the oldest that this serves")
        encoding = connection.get_parameter_status("server_encoding")
        if encoding != "UTF8":
            raise Unready(f"the target's encoding is {encoding}; create the database with encoding UTF8")
        yield connection
    finally:
        connection.close()


def reason(error: Exception) -> str:
    """The driver's text in one line, without a password that stood in a URL."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read(cursor: Any) -> Schema:
    """The schema in `public`, as Alembic built it. Raises Unready."""
    revisions = _revisions(cursor)
    names = [row[0] for row in _rows(cursor, _TABLES)]
    columns = _columns(cursor)
    keys, references, indexes = _keys(cursor)
    sequences = _sequences(cursor)
    tables = {}
    for name in names:
        if name == VERSION_TABLE:
            continue
        if name not in keys["p"]:
            raise Unready(f"table {name} of the target has no primary key; rows could not be compared")
        tables[name] = Table(
            name,
            tuple(columns[name]),
            keys["p"][name][0],
            tuple(keys["u"][name]),
            tuple(indexes[name]),
            tuple(references[name]),
            tuple(sequences[name]),
        )
        for column in tables[name].columns:
            try:
                codec(column)
            except KeyError:
                raise Unready(f"{name}.{column.name} of the target is {column.type}, which this import does not know") from None
    if not tables:
        raise Unready("the target has no tables; build them first: alembic upgrade head")
    return Schema(tables, revisions)


def lock_and_check_empty(cursor: Any, schema: Schema) -> None:
    """Keep everyone else out, for the length of the transaction, and see that nothing is in the way. Raises Unready."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
    if not cursor.fetchone()[0]:
        raise Unready("a migration or another import is running on the target; wait for its end")
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    names = sql.SQL(", ").join(sql.Identifier(SCHEMA, name) for name in schema.tables)
    try:
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
    except psycopg2.errors.LockNotAvailable:
        raise Unready(f"somebody uses the target's tables and did not let go for {LOCK_TIMEOUT}; stop the application") from None
    except psycopg2.errors.InsufficientPrivilege as error:
        raise Unready(f"{reason(error)}; connect as the role that runs the migrations") from None
    check_empty(cursor, schema)


def check_empty(cursor: Any, schema: Schema) -> None:
    """Raises Unready with the tables that have rows."""
    full = []
    for name in schema.tables:
        cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(SCHEMA, name)))
        if cursor.fetchone()[0]:
            full.append(name)
    if full:
        raise Unready(
            f"the target is not empty: {', '.join(full)}; when an earlier import filled it, compare with --verify-only; "
            "else import into a new database, or empty this one by hand"
        )


def _rows(cursor: Any, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query, (SCHEMA,))
    return list(cursor.fetchall())


def _revisions(cursor: Any) -> tuple[str, ...]:
    cursor.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.{VERSION_TABLE}",))
    if cursor.fetchone()[0] is None:
        raise Unready("the target was not built by Alembic (it has no alembic_version); build it: alembic upgrade head")
    cursor.execute(f"SELECT version_num FROM {SCHEMA}.{VERSION_TABLE} ORDER BY 1")
    revisions = tuple(row[0] for row in cursor.fetchall())
    if len(revisions) != 1:
        raise Unready(f"the target stands at {len(revisions)} revisions ({', '.join(revisions) or 'none'}); alembic upgrade head")
    return revisions


def _columns(cursor: Any) -> dict[str, list[Column]]:
    found = defaultdict(list)
    for table, name, kind, modifier, required in _rows(cursor, _COLUMNS):
        # A varchar's modifier is its length and four bytes of header; -1 is none.
        length = modifier - 4 if kind == "character varying" and modifier > 0 else None
        found[table].append(Column(name, kind, not required, length))
    return found


def _keys(cursor: Any) -> tuple[dict[str, dict[str, list[Key]]], dict[str, list[ForeignKey]], dict[str, list[Key]]]:
    keys: dict[str, dict[str, list[Key]]] = {"p": defaultdict(list), "u": defaultdict(list)}
    references: dict[str, list[ForeignKey]] = defaultdict(list)
    indexes: dict[str, list[Key]] = defaultdict(list)
    for table, name, kind, columns, parent, parent_columns in _rows(cursor, _CONSTRAINTS):
        if kind == "f":
            references[table].append(ForeignKey(name, tuple(columns), parent, tuple(parent_columns)))
        elif kind in keys:
            keys[kind][table].append(Key(name, tuple(columns)))
        else:
            raise Unready(f"constraint {name} of the target is of a kind that this import does not check ({kind})")
    for table, name, unique, plain, columns in _rows(cursor, _INDEXES):
        if not plain:
            raise Unready(f"index {name} of the target is partial or over an expression, which this import does not check")
        (keys["u"] if unique else indexes)[table].append(Key(name, tuple(columns)))
    return keys, references, indexes


def _sequences(cursor: Any) -> dict[str, list[Sequence]]:
    found = defaultdict(list)
    for table, name, column, maximum in _rows(cursor, _SEQUENCES):
        found[table].append(Sequence(name, column, maximum))
    return found


_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.atttypmod, a.attnotnull
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
# The names of a table's columns, from an array of their numbers, in its order.
_NAMES = """ARRAY(
    SELECT a.attname::text FROM unnest({0}) WITH ORDINALITY k(n, at)
    JOIN pg_attribute a ON a.attrelid = {1} AND a.attnum = k.n ORDER BY k.at)"""
_CONSTRAINTS = f"""
SELECT c.relname, o.conname, o.contype::text, {_NAMES.format("o.conkey", "o.conrelid")},
    p.relname, {_NAMES.format("o.confkey", "o.confrelid")}
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class p ON p.oid = o.confrelid
WHERE n.nspname = %s AND o.contype <> 'n' AND c.relname <> '{VERSION_TABLE}' ORDER BY c.relname, o.conname
"""
_INDEXES = f"""
SELECT c.relname, x.relname, i.indisunique, i.indpred IS NULL AND i.indexprs IS NULL,
    {_NAMES.format("i.indkey::int2[]", "i.indrelid")}
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.indexrelid AND o.contype <> 'f')
ORDER BY c.relname, x.relname
"""
_SEQUENCES = """
SELECT t.relname, s.relname, a.attname, q.seqmax
FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i')
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = %s AND d.classid = 'pg_class'::regclass AND s.relkind = 'S' ORDER BY 1, 2
"""
