"""One defect, or one extreme value, a file: what is written into a good file, and what the import must make of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MEGABYTE = "Gerät 🎺 \\N \t" * 80_000


@dataclass(frozen=True)
class Carried:
    """`value` stands in `table.column` of the row `key` afterwards, as `seen` by PostgreSQL's own text (or as it is)."""

    name: str
    table: str
    key: Any
    column: str
    value: Any
    seen: Any = None


@dataclass(frozen=True)
class Refusal:
    """The import ends with 1 and names this place (`code`, `table`, `column`)."""

    name: str
    code: str
    table: str | None
    column: str | None
    change: Callable[[sqlite3.Connection], Any]


def put(table: str, column: str, value: Any, *, row: int = 0, loose: bool = False) -> Callable[[sqlite3.Connection], Any]:
    """Write one value into one row, the `row`-th of its table; into a table without its constraints when `loose`."""

    def change(connection: sqlite3.Connection) -> None:
        if loose:
            loosen(connection, table)
        written = connection.execute(
            f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = (SELECT rowid FROM "{table}" ORDER BY rowid LIMIT 1 OFFSET ?)',
            (value, row),
        ).rowcount
        assert written == 1

    return change


def raw(*statements: str) -> Callable[[sqlite3.Connection], Any]:
    return lambda connection: [connection.execute(statement) for statement in statements]


def loosen(connection: sqlite3.Connection, table: str, types: bool = True) -> None:
    """The same columns and rows without constraints, without types too when told so: what hand-made files are like."""
    columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
    declared = ", ".join(f'"{name}" {kind if types else ""}' for _, name, kind, *_ in columns)
    connection.execute("PRAGMA legacy_alter_table = ON")
    connection.execute(f'CREATE TABLE "loose" ({declared})')
    connection.execute(f'INSERT INTO "loose" SELECT * FROM "{table}"')
    connection.execute(f'DROP TABLE "{table}"')
    connection.execute(f'ALTER TABLE "loose" RENAME TO "{table}"')


def _double_row(table: str) -> Callable[[sqlite3.Connection], Any]:
    def change(connection: sqlite3.Connection) -> None:
        loosen(connection, table)
        connection.execute(f'INSERT INTO "{table}" SELECT * FROM "{table}" LIMIT 1')

    return change


def _same_everywhere(table: str, column: str) -> Callable[[sqlite3.Connection], Any]:
    def change(connection: sqlite3.Connection) -> None:
        loosen(connection, table)
        connection.execute(f'UPDATE "{table}" SET "{column}" = ?', ("same",))

    return change


def _untyped(table: str, column: str, value: Any) -> Callable[[sqlite3.Connection], Any]:
    def change(connection: sqlite3.Connection) -> None:
        loosen(connection, table, types=False)
        put(table, column, value)(connection)

    return change


CARRIED = (
    Carried("infinity", "solutions", 1, "soft_score", float("inf"), "Infinity"),
    Carried("minus-infinity", "solutions", 1, "soft_score", float("-inf"), "-Infinity"),
    Carried("denormal", "solutions", 1, "soft_score", 5e-324, "5e-324"),
    Carried("greatest-double", "solutions", 1, "soft_score", 1.7976931348623157e308, "1.7976931348623157e+308"),
    Carried("a-tenth", "solutions", 1, "soft_score", 0.1, "0.1"),
    Carried("whole-double", "solutions", 1, "soft_score", 2.0**53, "9.007199254740992e+15"),
    Carried("year-1", "events", "events-0000000", "start_time", "0001-01-01 00:00:00", "0001-01-01 00:00:00"),
    Carried("year-9999", "events", "events-0000000", "start_time", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"),
    Carried("leap-day", "events", "events-0000000", "start_time", "2000-02-29 12:00:00", "2000-02-29 12:00:00"),
    Carried("before-1970", "events", "events-0000000", "start_time", "1969-12-31 23:59:59.5", "1969-12-31 23:59:59.5"),
    Carried("with-a-t", "events", "events-0000000", "start_time", "2026-01-02T03:04:05.060708", "2026-01-02 03:04:05.060708"),
    Carried("zeros-behind", "events", "events-0000000", "start_time", "2026-01-02 03:04:05.100000000", "2026-01-02 03:04:05.1"),
    Carried("date-year-1", "holidays", 1, "date", "0001-01-01", "0001-01-01"),
    Carried("date-year-9999", "holidays", 1, "date", "9999-12-31", "9999-12-31"),
    Carried(
        "zone-kept-as-instant",
        "audit_logs",
        "audit_logs-0000000",
        "timestamp",
        "2026-01-02 03:04:05+05:30",
        "2026-01-01 21:34:05+00",
    ),
    Carried("no-zone-is-utc", "audit_logs", "audit_logs-0000000", "timestamp", "2026-07-01 12:00:00", "2026-07-01 12:00:00+00"),
    Carried("least-integer", "holidays", -2147483648, "id", -2147483648, "-2147483648"),
    Carried("greatest-integer", "payment_methods", 1, "exp_year", 2147483647, "2147483647"),
    Carried("emoji", "people", "people-0000000", "name", "🎺👩‍👩‍👧‍👦 Zoë 司会", "🎺👩‍👩‍👧‍👦 Zoë 司会"),
    Carried("empty-text", "people", "people-0000000", "email", "", ""),
    Carried("copy-words", "people", "people-0000000", "name", "\\N \\. \t \n \r\n \\x41 ' \"", "\\N \\. \t \n \r\n \\x41 ' \""),
    Carried("blanks-behind", "people", "people-0000000", "name", "Ada   ", "Ada   "),
    Carried("a-megabyte", "people", "people-0000000", "extra_data", MEGABYTE, MEGABYTE),
    Carried("full-length", "sms_messages", 1, "phone_number", "ü" * 20, "ü" * 20),
    Carried(
        "json-digits",
        "audit_logs",
        "audit_logs-0000000",
        "details",
        '{"n": 1.10, "big": 123456789012345678901234567890}',
        '{"n": 1.10, "big": 123456789012345678901234567890}',
    ),
    Carried(
        "json-escapes",
        "audit_logs",
        "audit_logs-0000000",
        "details",
        ' {"a":"\\u00e9\\ud83c\\udfba", "a": 2}\n',
        ' {"a":"\\u00e9\\ud83c\\udfba", "a": 2}\n',
    ),
    # Declared JSON, SQLite's column has a number's affinity: what is written as the text 5 is stored as a whole number.
    *(
        Carried(f"json-bare-{name}", "audit_logs", "audit_logs-0000000", "details", value, seen)
        for name, value, seen in (
            ("number", "5", "5"),
            ("negative-number", "-7", "-7"),
            ("large-number", "9223372036854775807", "9223372036854775807"),
            ("fraction", "1.5", "1.5"),
            ("small-fraction", "1e-7", "1e-07"),
            ("stored-number", 5, "5"),
            ("stored-fraction", 0.1, "0.1"),
            ("true", "true", "true"),
            ("false", "false", "false"),
            ("null", "null", "null"),
            ("text", '"5"', '"5"'),
        )
    ),
    Carried("text-that-is-no-json", "people", "people-0000000", "extra_data", "{not json", "{not json"),
    Carried("true", "people", "people-0000000", "is_sample", 1, "true"),
    Carried("false", "people", "people-0000000", "is_sample", 0, "false"),
    Carried("refers-to-itself", "people", "people-0000000", "invited_by", "people-0000000", "people-0000000"),
)

REFUSED = (
    Refusal("text-in-integer", "storage-class", "solutions", "hard_violations", put("solutions", "hard_violations", "many")),
    Refusal("number-as-text", "storage-class", "solutions", "hard_violations", _untyped("solutions", "hard_violations", "7")),
    Refusal("real-in-integer", "storage-class", "solutions", "hard_violations", put("solutions", "hard_violations", 1.5)),
    Refusal(
        "whole-real-in-integer", "storage-class", "solutions", "hard_violations", _untyped("solutions", "hard_violations", 3.0)
    ),
    Refusal("blob-in-integer", "storage-class", "solutions", "hard_violations", put("solutions", "hard_violations", b"\1")),
    Refusal("blob-in-text", "storage-class", "people", "name", put("people", "name", b"Ada")),
    Refusal("number-in-text", "storage-class", "people", "name", _untyped("people", "name", 17)),
    Refusal("number-as-time", "storage-class", "events", "start_time", put("events", "start_time", 1767225600)),
    Refusal("julian-day", "storage-class", "events", "start_time", put("events", "start_time", 2460000.5)),
    Refusal("above-int4", "range", "payment_methods", "exp_year", put("payment_methods", "exp_year", 2147483648)),
    Refusal("below-int4", "range", "payment_methods", "exp_year", put("payment_methods", "exp_year", -2147483649)),
    Refusal("key-above-int4", "range", "holidays", "id", put("holidays", "id", 2147483648)),
    Refusal("boolean-2", "boolean", "people", "is_sample", put("people", "is_sample", 2)),
    Refusal("boolean-minus-1", "boolean", "people", "is_sample", put("people", "is_sample", -1)),
    Refusal("boolean-true-as-text", "storage-class", "people", "is_sample", put("people", "is_sample", "true")),
    Refusal("boolean-1.0", "storage-class", "people", "is_sample", _untyped("people", "is_sample", 1.0)),
    Refusal("nul", "nul", "people", "name", raw("UPDATE people SET name = 'a' || char(0) || 'b' WHERE id = 'people-0000000'")),
    Refusal(
        "bad-utf8",
        "encoding",
        "people",
        "name",
        raw("UPDATE people SET name = CAST(x'41ff42' AS TEXT) WHERE id = 'people-0000000'"),
    ),
    Refusal(
        "half-a-letter",
        "encoding",
        "people",
        "name",
        raw("UPDATE people SET name = CAST(x'41c3' AS TEXT) WHERE id = 'people-0000000'"),
    ),
    Refusal(
        "surrogate",
        "encoding",
        "people",
        "name",
        raw("UPDATE people SET name = CAST(x'eda080' AS TEXT) WHERE id = 'people-0000000'"),
    ),
    Refusal("too-long", "length", "sms_messages", "phone_number", put("sms_messages", "phone_number", "1" * 21)),
    Refusal("too-long-by-blanks", "length", "sms_messages", "phone_number", put("sms_messages", "phone_number", "1" * 20 + " ")),
    Refusal("day-30-february", "calendar", "events", "start_time", put("events", "start_time", "2026-02-30 10:00:00")),
    Refusal("no-leap-year", "calendar", "holidays", "date", put("holidays", "date", "1900-02-29")),
    Refusal("hour-24", "calendar", "events", "start_time", put("events", "start_time", "2026-01-01 24:00:00")),
    Refusal("second-60", "calendar", "events", "start_time", put("events", "start_time", "2016-12-31 23:59:60")),
    Refusal("year-0", "calendar", "events", "start_time", put("events", "start_time", "0000-01-01 00:00:00")),
    Refusal("year-10000", "stamp-form", "events", "start_time", put("events", "start_time", "10000-01-01 00:00:00")),
    Refusal("zoned", "zone", "events", "start_time", put("events", "start_time", "2026-01-01 10:00:00+02:00")),
    Refusal("zulu", "zone", "events", "start_time", put("events", "start_time", "2026-01-01T10:00:00Z")),
    Refusal(
        "before-year-1-in-utc", "calendar", "audit_logs", "timestamp", put("audit_logs", "timestamp", "0001-01-01 00:00:00+05:00")
    ),
    Refusal("nanoseconds", "precision", "events", "start_time", put("events", "start_time", "2026-01-01 10:00:00.123456789")),
    Refusal("american-date", "stamp-form", "events", "start_time", put("events", "start_time", "01/02/2026 10:00")),
    Refusal("date-only-as-time", "stamp-form", "events", "start_time", put("events", "start_time", "2026-01-01")),
    Refusal("empty-time", "stamp-form", "events", "start_time", put("events", "start_time", "")),
    Refusal("now", "stamp-form", "events", "start_time", put("events", "start_time", "now")),
    Refusal("blank-before-time", "stamp-form", "events", "start_time", put("events", "start_time", " 2026-01-01 10:00:00")),
    Refusal("arabic-digits", "stamp-form", "events", "start_time", put("events", "start_time", "٢٠٢٦-01-01 10:00:00")),
    Refusal("time-in-date", "date-form", "holidays", "date", put("holidays", "date", "2026-01-01 00:00:00")),
    Refusal("rounding", "rounding", "solutions", "soft_score", _untyped("solutions", "soft_score", 2**53 + 1)),
    Refusal("text-in-double", "storage-class", "solutions", "soft_score", put("solutions", "soft_score", "high")),
    Refusal("no-json", "json", "audit_logs", "details", put("audit_logs", "details", "{'a': 1}")),
    Refusal("json-nan", "json", "audit_logs", "details", put("audit_logs", "details", '{"a": NaN}')),
    Refusal("json-infinity", "json", "audit_logs", "details", put("audit_logs", "details", "[-Infinity]")),
    Refusal("json-bare-infinity", "json", "audit_logs", "details", put("audit_logs", "details", "1e999")),
    Refusal("json-empty", "json", "audit_logs", "details", put("audit_logs", "details", "")),
    Refusal("json-deep", "json", "audit_logs", "details", put("audit_logs", "details", "[" * 100_000)),
    Refusal("json-cut-off", "json", "audit_logs", "details", put("audit_logs", "details", '{"a": "b')),
    Refusal("null", "not-null", "people", "name", put("people", "name", None, loose=True)),
    Refusal("null-key", "not-null", "recurrence_exceptions", "id", put("recurrence_exceptions", "id", None, loose=True)),
    Refusal("double-key", "duplicate", "teams", "id", _double_row("teams")),
    Refusal(
        "double-unique",
        "duplicate",
        "people",
        "calendar_token",
        _same_everywhere("people", "calendar_token"),
    ),
    Refusal("double-pair", "duplicate", "sms_usage", "organization_id, month_year", _double_row("sms_usage")),
    Refusal("orphan", "orphan", "assignments", "event_id", put("assignments", "event_id", "nowhere")),
    Refusal("orphan-by-itself", "orphan", "people", "invited_by", put("people", "invited_by", "nobody")),
    Refusal("orphan-by-case", "orphan", "assignments", "event_id", put("assignments", "event_id", "EVENTS-0000001")),
    Refusal("long-in-index", "index-size", "people", "email", put("people", "email", "a" * 2800)),
    Refusal("extra-table", "extra-table", "notes", None, raw("CREATE TABLE notes (a)", "INSERT INTO notes VALUES (1)")),
    Refusal("extra-empty-table", "extra-table", "notes", None, raw("CREATE TABLE notes (a)")),
    Refusal(
        "extra-column",
        "extra-column",
        "people",
        "nickname",
        raw("ALTER TABLE people ADD COLUMN nickname", "UPDATE people SET nickname = 'x' WHERE id = 'people-0000000'"),
    ),
    Refusal("extra-empty-column", "extra-column", "people", "nickname", raw("ALTER TABLE people ADD COLUMN nickname")),
    Refusal("missing-table", "missing-table", "sms_replies", None, raw("DROP TABLE sms_replies")),
    Refusal("missing-column", "missing-column", "people", "timezone", raw("ALTER TABLE people DROP COLUMN timezone")),
    Refusal("two-heads", "two-heads", None, None, raw("INSERT INTO alembic_version VALUES ('a3c5d7e9b1f2')")),
    Refusal("unknown-revision", "unknown-revision", None, None, raw("UPDATE alembic_version SET version_num = 'ffffffffffff'")),
    Refusal("old-f18c6691c7ab", "old-revision", None, None, raw("UPDATE alembic_version SET version_num = 'f18c6691c7ab'")),
    Refusal("old-7ba388eecd31", "old-revision", None, None, raw("UPDATE alembic_version SET version_num = '7ba388eecd31'")),
    Refusal("old-739ba7ba574c", "old-revision", None, None, raw("UPDATE alembic_version SET version_num = '739ba7ba574c'")),
    Refusal("old-cf7914ee40c0", "old-revision", None, None, raw("UPDATE alembic_version SET version_num = 'cf7914ee40c0'")),
    Refusal("old-a3c5d7e9b1f2", "old-revision", None, None, raw("UPDATE alembic_version SET version_num = 'a3c5d7e9b1f2'")),
)
