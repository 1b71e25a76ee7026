"""`python -m app.smoke`: does this version work on the database that DATABASE_URL (or DATABASE_URL_FILE) names?

Run from the image that is live, on a scratch database that the next image's migrations upgraded: it tells whether the live
version survives them. Every mapped table gets a row as this version inserts one, which is read, changed in every column and
deleted; all in one transaction that is rolled back. On stdout `{"tables": N}` and exit 0; or exit 1 and on stderr one line
for each table that failed.
"""

import contextlib
import datetime as dt
import decimal
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from app.migration_url import migration_url
from app.models import Base
from app.models.base import JSONText
from app.settings import SettingsError

# Statements here take milliseconds; what waits longer waits for a lock that somebody else holds.
_OPTIONS = "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=5s"
# Longer than any column that may have been cut short, and wider than a smallint.
_LONG, _WIDE = 300, 70_000
# As SQLAlchemy and people write it: status IN ('open', 'closed').
_ONE_OF = re.compile(r"\bIN\s*\(\s*('(?:[^']|'')*'|-?[0-9.]+)", re.IGNORECASE)

Values = dict[str, Any]


class _RowFailedError(Exception):
    """The text says what this version could not do with its row."""


def failures(connection: Connection, metadata: sa.MetaData) -> dict[str, str]:
    """What failed, by table; empty when this version works. The caller rolls back; the connection is in a transaction."""
    rows: dict[str, Values] = {}
    failed: dict[str, str] = {}
    for table in metadata.sorted_tables:
        with _step(connection, failed, table):
            rows[table.name] = _written(connection, table, rows)
    for table in reversed(metadata.sorted_tables):
        # Children first, which is why rows are deleted last.
        if table.name in rows and table.name not in failed:
            with _step(connection, failed, table):
                _delete(connection, table, rows[table.name])
    return {table.name: failed[table.name] for table in metadata.sorted_tables if table.name in failed}


@contextlib.contextmanager
def _step(connection: Connection, failed: dict[str, str], table: sa.Table) -> Iterator[None]:
    """A failure is noted and undone alone, so that the tables after it are tried as well."""
    try:
        with connection.begin_nested():
            yield
    except _RowFailedError as error:
        failed[table.name] = str(error)
    except SQLAlchemyError as error:
        # The driver's first line names columns and types; the values in it are this module's own.
        failed[table.name] = str(getattr(error, "orig", None) or error).partition("\n")[0]
    except (TypeError, ValueError) as error:
        failed[table.name] = f"reading the row: {error}"


def _written(connection: Connection, table: sa.Table, rows: dict[str, Values]) -> Values:
    """Inserts the least row that this version writes, then writes every column; gives the row."""
    given = {column.name: _least(column, rows) for column in table.columns if not _left_out(column)}
    key = connection.execute(table.insert().values(given)).inserted_primary_key
    row = {column.name: value for column, value in zip(table.primary_key, key or (), strict=True)}
    found = _read(connection, table, row)
    _compare(found, {name: value for name, value in given.items() if not isinstance(value, sa.sql.elements.Null)})
    changed = {column.name: _other(column, rows | {table.name: found}) for column in table.columns if not column.primary_key}
    if changed:
        if connection.execute(table.update().where(_is(table, row)).values(changed)).rowcount != 1:
            raise _RowFailedError("the row that was inserted cannot be changed")
        found = _read(connection, table, row)
        _compare(found, changed)
    return found


def _read(connection: Connection, table: sa.Table, key: Values) -> Values:
    found = connection.execute(table.select().where(_is(table, key))).mappings().one_or_none()
    if found is None:
        raise _RowFailedError("the row that was inserted is not there")
    return dict(found)


def _compare(found: Values, wanted: Values) -> None:
    """The value and its type: a date that comes back with a zone, or a number as text, is what breaks code later."""
    for name, value in wanted.items():
        if type(found[name]) is not type(value) or found[name] != value:
            raise _RowFailedError(
                f"column {name}: {type(value).__name__} written, {type(found[name]).__name__} read, or another value"
            )


def _delete(connection: Connection, table: sa.Table, row: Values) -> None:
    if connection.execute(table.delete().where(_is(table, row))).rowcount != 1:
        raise _RowFailedError("the row that was inserted cannot be deleted")


def _is(table: sa.Table, row: Values) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == row[column.name] for column in table.primary_key))


def _left_out(column: sa.Column[Any]) -> bool:
    """What this version does not send when it inserts: the database, or SQLAlchemy by the column's default, fills it."""
    numbered = column.table.autoincrement_column is column
    return numbered or column.default is not None or column.server_default is not None


def _least(column: sa.Column[Any], rows: dict[str, Values]) -> Any:
    if column.nullable:
        return sa.null()
    return _parent(column, rows) if column.foreign_keys else _value(column, large=False)


def _other(column: sa.Column[Any], rows: dict[str, Values]) -> Any:
    return _parent(column, rows) if column.foreign_keys else _value(column, large=True)


def _parent(column: sa.Column[Any], rows: dict[str, Values]) -> Any:
    parent = next(iter(column.foreign_keys)).column
    if parent.table.name not in rows:
        raise _RowFailedError(f"needs a row of {parent.table.name}, which failed")
    return rows[parent.table.name][parent.name]


def _value(column: sa.Column[Any], large: bool) -> Any:
    """One that the column's type and the mapped CHECKs allow; `large`: as long or wide as the type takes."""
    checks = _checks(column)
    for check in checks:
        if listed := _ONE_OF.search(check):
            text = listed[1]
            return text[1:-1].replace("''", "'") if text.startswith("'") else column.type.python_type(text)
    for kind, make in _MAKERS:
        if isinstance(column.type, kind):
            return make(column.type, large and not checks)
    raise _RowFailedError(f"column {column.name}: no value is known for its type {column.type!r}; add one to app/smoke.py")


def _checks(column: sa.Column[Any]) -> list[str]:
    """Mapped CHECKs that name the column."""
    rules = [*column.constraints, *column.table.constraints]
    texts = [str(rule.sqltext) for rule in rules if isinstance(rule, sa.CheckConstraint)]
    return [text for text in texts if re.search(rf"\b{re.escape(column.name)}\b", text)]


def _text(kind: Any, large: bool) -> str:
    """Hardly a text that is there already: columns may be unique."""
    made = f"smoke-{secrets.token_hex(8)}"
    return (made.ljust(kind.length or _LONG, "x") if large else made)[: kind.length]


# The first that fits: an Enum is a String too.
_MAKERS: list[tuple[type[Any], Callable[[Any, bool], Any]]] = [
    (sa.Enum, lambda kind, large: next(iter(kind.enum_class or kind.enums))),
    (JSONText, lambda kind, large: {"smoke": [1, "é"]}),
    (sa.JSON, lambda kind, large: {"smoke": [1, "é"]}),
    (sa.String, _text),
    (sa.Boolean, lambda kind, large: large),
    (sa.Integer, lambda kind, large: _WIDE if large else 1),
    (sa.Float, lambda kind, large: 1.5),
    (sa.Numeric, lambda kind, large: decimal.Decimal(1)),
    (
        sa.DateTime,
        lambda kind, large: dt.datetime(2027, 1, 3, 9, 30, 15, 123456, tzinfo=dt.UTC if kind.timezone else None),
    ),
    (sa.Date, lambda kind, large: dt.date(2027, 1, 3)),
    (sa.Time, lambda kind, large: dt.time(9, 30)),
    (sa.LargeBinary, lambda kind, large: b"smoke"),
]


def run(url: URL) -> dict[str, str]:
    """Opens the database, asks `failures` and rolls back. Raises SettingsError for another database than PostgreSQL,
    SQLAlchemyError when it cannot be reached."""
    if url.get_backend_name() != "postgresql":
        raise SettingsError(["DATABASE_URL is not PostgreSQL's, and no other database is released to"])
    arguments: Values = {"application_name": "signupflow-smoke", "connect_timeout": 10, "options": _OPTIONS}
    engine = sa.create_engine(url, poolclass=NullPool, connect_args=arguments)
    with engine.connect() as connection:
        try:
            return failures(connection, Base.metadata)
        finally:
            connection.rollback()


def main() -> int:
    try:
        failed = run(migration_url(os.environ))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        # Not the driver's text, which names hosts and users.
        print(f"the database that DATABASE_URL names cannot be used ({type(error).__name__})", file=sys.stderr)
        return 1
    for table, reason in failed.items():
        print(f"{table}: {reason}", file=sys.stderr)
    if not failed:
        print(json.dumps({"tables": len(Base.metadata.tables)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
