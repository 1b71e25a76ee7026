"""Values of every column type, random and extreme, through the codec and through PostgreSQL itself."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import struct
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sqlite_import import copyformat, values
from sqlite_import.schema import Column
from tests.app.harness import Postgres

TYPES = {
    "integer": "integer", "bigint": "bigint", "smallint": "smallint", "boolean": "boolean", "double precision": "float8",
    "text": "text", "character varying": "varchar(20)", "date": "date", "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz", "json": "json", "bytea": "bytea",
}  # fmt: skip
ANYTHING = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True),
    st.binary(max_size=40),
    st.binary(max_size=40).map(bytearray),
    st.text(max_size=30).map(lambda text: bytearray(text.encode("utf-8", "surrogatepass"))),
    st.datetimes().map(lambda at: bytearray(str(at).encode())),
    st.datetimes(timezones=st.timezones()).map(lambda at: bytearray(str(at).encode())),
    st.dates().map(lambda at: bytearray(str(at).encode())),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)).map(
        lambda value: bytearray(json.dumps(value).encode())
    ),
    st.sampled_from([0, 1, 2, -1]),
)


def column(kind: str) -> Column:
    return Column("c", kind, True, 20 if kind == "character varying" else None)


def packed(kind: str, value: Any) -> bytes | None:
    """The value's bytes; None when it is refused."""
    try:
        return values.codec(column(kind)).one(value)
    except values.Refused:
        return None


@pytest.mark.parametrize("kind", TYPES)
@example(batch=[math.nan])
@given(batch=st.lists(ANYTHING, max_size=12))
def test_us2_1_a_batch_is_packed_as_its_values_are_one_by_one(kind: str, batch: list[Any]) -> None:
    made = values.codec(column(kind)).pack(batch)
    alone = [packed(kind, value) for value in batch]
    if made is None:
        assert None in alone or kind in ("json", "bytea") or any(map(_not_plain, batch))
    else:
        assert made == alone


def _not_plain(value: Any) -> bool:
    """May be carried, but only after a look at it alone: texts in other forms, whole numbers in a double."""
    return isinstance(value, bytearray | int)


@pytest.mark.parametrize("kind", TYPES)
def test_us2_1_what_is_carried_comes_back_the_same_and_the_rest_is_refused(kind: str, server: Postgres) -> None:
    with (
        closing(psycopg2.connect(server.create(f"values_{kind.replace(' ', '_')}"))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE TABLE t (c {TYPES[kind]})")
        sent = 0

        @settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(batch=st.lists(ANYTHING, min_size=1, max_size=12))
        def carried(batch: list[Any]) -> None:
            nonlocal sent
            good = [(value, found) for value in batch if (found := packed(kind, value)) is not None]
            start = copyformat.row_start(1)
            stream = copyformat.HEADER + b"".join(start + found for _, found in good) + copyformat.TRAILER
            cursor.execute("TRUNCATE t")
            cursor.copy_expert("COPY t FROM STDIN WITH (FORMAT binary)", io.BytesIO(stream))
            back = io.BytesIO()
            cursor.copy_expert("COPY t TO STDOUT WITH (FORMAT binary)", back)
            assert back.getvalue() == stream
            cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SELECT c::text FROM t")
            for (value, _), (text,) in zip(good, cursor.fetchall(), strict=True):
                assert same(kind, value, text), (value, text)
            sent += len(good)

        carried()
        assert sent > 20


def same(kind: str, value: Any, text: str | None) -> bool:
    """Whether PostgreSQL's text says what SQLite's value says, by another way than the codec's."""
    if value is None or text is None:
        return value is text
    if kind in ("integer", "bigint", "smallint"):
        return bool(int(text) == value)
    if kind == "json" and isinstance(value, int | float):
        return bool(json.loads(text) == value)
    if kind == "boolean":
        return bool(text == ("true" if value else "false"))
    if kind == "double precision":
        return bool(struct.pack(">d", float(text)) == struct.pack(">d", float(value)) and float(value) == value)
    if kind == "bytea":
        return bool(text == "\\x" + value.hex())
    said = value.decode()
    if kind == "timestamp with time zone":
        written = dt.datetime.fromisoformat(said)
        written = written.replace(tzinfo=dt.UTC) if written.tzinfo is None else written
        return dt.datetime.fromisoformat(text + ":00").timestamp() == written.timestamp()
    if kind == "timestamp without time zone":
        return dt.datetime.fromisoformat(text.ljust(26, "0") if "." in text else text) == dt.datetime.fromisoformat(said)
    return bool(text == said)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "value", [float("nan"), math.inf, b"\0", bytearray(b"\0"), bytearray(b"\xff"), 2**63, -(2**63) - 1, bytearray(b"")]
)
def test_us2_1_an_extreme_is_carried_or_refused_and_never_an_exception(kind: str, value: Any) -> None:
    try:
        made: object = values.codec(column(kind)).one(value)
    except values.Refused as refused:
        made = "; ".join((refused.code, refused.reason, refused.advice))
    assert made
