"""SQLite files in the real file's shape, of any size: rows that hold, made from a number, the same every time."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.models import Base

# Rows of each table of the real file (../shared/data/signupflow.sqlite): what a size is a multiple of.
REAL = {
    "audit_logs": 81, "organizations": 6, "constraints": 10, "holidays": 30, "payment_methods": 5, "people": 165,
    "resources": 10, "sms_usage": 5, "solutions": 11, "subscriptions": 5, "teams": 15, "usage_metrics": 5,
    "availability": 88, "billing_history": 10, "email_preferences": 15, "invitations": 20, "onboarding_progress": 25,
    "password_reset_tokens": 5, "recurring_series": 15, "sms_preferences": 25, "sms_templates": 5,
    "sms_verification_codes": 25, "subscription_events": 10, "team_members": 150, "availability_exceptions": 20,
    "events": 452, "vacation_periods": 103, "assignments": 814, "event_teams": 45, "notifications": 25,
    "recurrence_exceptions": 5, "sms_messages": 25, "delivery_logs": 25, "sms_replies": 25,
}  # fmt: skip
START = dt.datetime(2024, 2, 28, 21, 30, 0, 123456)
WORDS = ("Usher", "Ünal", "Zoë", "司会", "Música", "a b  c", "O'Neil", 'said "yes"', "🎺 brass", "back\\slash", "tab\there")


def fill(path: Path, times: int = 1) -> int:
    """Rows into a migrated, empty file: the real file's numbers times `times`. Returns how many."""
    counts = {name: count * times for name, count in REAL.items()}
    written = 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table in Base.metadata.sorted_tables:
            if table.name not in counts:
                continue
            marks = ", ".join("?" * len(table.columns))
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            connection.executemany(
                f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', _rows(table, counts[table.name], counts)
            )
            written += counts[table.name]
    return written


def _rows(table: sa.Table, count: int, counts: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    alone = {
        next(iter(constraint.columns)).name
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint) and len(constraint.columns) == 1
    } | {next(iter(index.columns)).name for index in table.indexes if index.unique and len(index.columns) == 1}
    alone |= {column.name for column in table.columns if column.unique}
    for number in range(count):
        yield tuple(_value(table, column, number, column.name in alone, counts) for column in table.columns)


def _value(table: sa.Table, column: sa.Column[Any], number: int, alone: bool, counts: dict[str, int]) -> Any:
    keys = list(column.foreign_keys)
    if keys:
        parent = keys[0].column.table.name
        if parent == table.name:
            # The first refers to the last: a reference forward, and a circle.
            return _key(keys[0].column, (number + counts[parent] - 1) % counts[parent]) if number % 3 == 0 else None
        at = number if alone else number * 7919 + len(column.name)
        return _key(keys[0].column, at % counts[parent])
    if column.primary_key and len(table.primary_key.columns) == 1:
        return _key(column, number)
    if column.nullable and not alone and (number + len(column.name)) % 5 == 0:
        return None
    if column.primary_key:
        return f"{2000 + number // 12:04d}-{number % 12 + 1:02d}"
    if alone:
        return f"{column.name}-{number}"
    return _plain(column, number)


def _key(column: sa.Column[Any], number: int) -> Any:
    """The number of an integer key, the text of another; a key that is a reference is its parent's."""
    for reference in column.foreign_keys:
        return _key(reference.column, number)
    return number + 1 if isinstance(column.type, sa.Integer) else f"{column.table.name}-{number:07d}"


def _plain(column: sa.Column[Any], number: int) -> Any:
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return number % 2
    if isinstance(kind, sa.Integer):
        return (number * 31) % 1000
    if isinstance(kind, sa.Float):
        return number / 7 - 3
    if isinstance(kind, sa.DateTime):
        at = START + dt.timedelta(minutes=17 * number, microseconds=number % 1000)
        # Some were written by SQLite's CURRENT_TIMESTAMP, which has no fraction.
        return at.strftime("%Y-%m-%d %H:%M:%S") if column.name == "timestamp" else at.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(kind, sa.Date):
        return (START + dt.timedelta(days=number % 2000)).strftime("%Y-%m-%d")
    if isinstance(kind, sa.JSON) or type(kind).__name__ == "JSONText":
        return json.dumps({"n": number, "word": WORDS[number % len(WORDS)], "list": [1, 2.5, None]})
    text = f"{WORDS[number % len(WORDS)]} {number}"
    length = getattr(kind, "length", None)
    return text[:length] if length else text
