"""From a value as SQLite stores it to the bytes of PostgreSQL's binary COPY, or to a reason why not. Pure.

PostgreSQL never interprets a text here: it gets an integer's four bytes, a time stamp's microseconds, a double's eight bytes.
What is the same value on both sides is carried; what would have to be changed is refused.

A column is packed a batch at a time. `Codec.pack` looks at the whole batch with a few calls that run in C and returns None
when anything in it is not plain; then `Codec.one` looks at each value alone, and says what is wrong.

Text comes as `bytearray` and blobs as `bytes`: sqlite3 makes that difference when `text_factory` is bytearray, and invalid
UTF-8 arrives as it is. Source of the format: PostgreSQL's documentation, COPY, "Binary Format", and the types' send functions.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from sqlite_import.schema import INTEGERS, TEXTS, Column

Value = None | int | float | bytearray | bytes
Values = list[Value] | tuple[Value, ...]

NULL = struct.pack(">i", -1)
# One field may not be larger; PostgreSQL's own limit is 1 GB for a whole row on its way, and a row has several.
LARGEST = 256 << 20
EPOCH = dt.datetime(2000, 1, 1)
DAY = 86_400_000_000
_length = struct.Struct(">i").pack
# Most texts are short, and looking a length up is quicker than packing it.
_LENGTHS = [_length(length) for length in range(1024)]
_eight = struct.Struct(">iq").pack
_NONE = type(None)
# Trailing zeros of a fraction carry no precision; digits behind the sixth do.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?")
_PLAIN_STAMPS = re.compile(rb"(?:\d{4}-\d\d-\d\d[ T](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{6})?\n)*")
_PLAIN_DATES = re.compile(rb"(?:\d{4}-\d\d-\d\d\n)*")


class Refused(Exception):
    """A value that cannot be carried: `code` names the class, the text says why, `advice` what to do."""

    def __init__(self, code: str, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.advice = code, reason, advice


@dataclass(frozen=True)
class Codec:
    """How a column's values are packed. `pack` gives None when it wants them looked at one by one."""

    pack: Callable[[Values], list[bytes] | None]
    one: Callable[[Value], bytes]


def codec(column: Column, *, zoned_as_utc: bool = False) -> Codec:
    """The codec of a column. Raises KeyError for a type that is not known here."""
    if column.type in INTEGERS:
        return _integer(INTEGERS[column.type])
    if column.type in TEXTS:
        return _text(column.length)
    if column.type == "timestamp without time zone":
        return _stamp(lambda text: _naive(text, zoned_as_utc))
    return {
        "boolean": BOOLEAN,
        "double precision": DOUBLE,
        "date": DATE,
        "timestamp with time zone": _stamp(instant),
        "json": JSON,
        "bytea": BLOB,
    }[column.type]


def storage(value: Value) -> str:
    """SQLite's name of the value's storage class."""
    return {_NONE: "NULL", int: "INTEGER", float: "REAL", bytearray: "TEXT", bytes: "BLOB"}[type(value)]


def _wrong_class(value: Value, wanted: str) -> Refused:
    return Refused(
        "storage-class",
        f"is stored as {storage(value)}, the column takes {wanted}",
        "write the value as the column's type, in SQLite",
    )


def _of_types(values: Values, *types: type) -> bool:
    return set(map(type, values)) <= {_NONE, *types}


def _null_or(one: Callable[[Value], bytes]) -> Callable[[Value], bytes]:
    return lambda value: NULL if value is None else one(value)


# Whole numbers.


def _integer(size: int) -> Codec:
    pack = struct.Struct(">i" + {2: "h", 4: "i", 8: "q"}[size]).pack
    lowest, highest = -(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1

    def one(value: Value) -> bytes:
        if not isinstance(value, int):
            raise _wrong_class(value, "whole numbers")
        if not lowest <= value <= highest:
            raise Refused("range", f"is outside {lowest} to {highest}", "correct the value, or widen the column by a migration")
        return pack(size, value)

    def many(values: Values) -> list[bytes] | None:
        try:
            return [NULL if value is None else pack(size, value) for value in values]
        except struct.error:
            return None

    return Codec(many, _null_or(one))


# Booleans.

_TRUTH = {0: b"\0\0\0\1\0", 1: b"\0\0\0\1\1", None: NULL}


def _boolean(value: Value) -> bytes:
    if not isinstance(value, int):
        raise _wrong_class(value, "0 or 1")
    if value not in (0, 1):
        raise Refused("boolean", "is a boolean other than 0 and 1", "decide which of the two it is, and write that in SQLite")
    return _TRUTH[value]


def _booleans(values: Values) -> list[bytes] | None:
    if not _of_types(values, int):
        return None
    try:
        return [_TRUTH[value] for value in values]  # type: ignore[index]
    except KeyError:
        return None


BOOLEAN = Codec(_booleans, _null_or(_boolean))

# Doubles. Infinities, denormals and the sign of zero are in the eight bytes; SQLite keeps no NaN.

_double = struct.Struct(">id").pack


def _one_double(value: Value) -> bytes:
    if isinstance(value, int):
        if int(float(value)) != value:
            raise Refused(
                "rounding",
                "is a whole number that a double cannot hold exactly",
                "correct the value, or change the column's type",
            )
        return _double(8, float(value))
    if not isinstance(value, float):
        raise _wrong_class(value, "numbers")
    if math.isnan(value):
        raise Refused("rounding", "is not a number", "write NULL or a number")
    return _double(8, value)


def _doubles(values: Values) -> list[bytes] | None:
    if not _of_types(values, float):
        return None
    if any(value is not None and math.isnan(value) for value in values):  # type: ignore[arg-type]
        return None
    return [NULL if value is None else _double(8, value) for value in values]


DOUBLE = Codec(_doubles, _null_or(_one_double))

# Text.


def _utf8(value: bytes | bytearray) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise Refused(
            "encoding", f"is not valid UTF-8 (byte {error.start + 1})", "write it again in UTF-8; PostgreSQL takes nothing else"
        ) from None
    if "\0" in text:
        raise Refused("nul", "holds a NUL character, which PostgreSQL's text cannot", "remove the character")
    if len(value) > LARGEST:
        raise Refused(
            "size", f"has {len(value):,} bytes; {LARGEST:,} is the most for one value", "shorten it or store it elsewhere"
        )
    return text


def _text(length: int | None) -> Codec:
    def one(value: Value) -> bytes:
        if not isinstance(value, bytearray):
            raise _wrong_class(value, "text")
        text = _utf8(value)
        if length is not None and len(text) > length:
            blanks = ", its trailing blanks included" if text[length:].strip(" ") == "" else ""
            raise Refused(
                "length", f"has {len(text):,} characters{blanks}; the column takes {length}", "shorten it, or widen the column"
            )
        return _length(len(value)) + value

    def many(values: Values) -> list[bytes] | None:
        if not _of_types(values, bytearray):
            return None
        present: list[bytearray] = [value for value in values if value is not None]  # type: ignore[misc]
        if not present:
            return [NULL] * len(values)
        joined = b"\n".join(present)
        longest = max(map(len, present))
        if b"\0" in joined or longest > (LARGEST if length is None else length):
            return None
        if not joined.isascii():
            try:
                joined.decode()
            except UnicodeDecodeError:
                return None
        if longest < len(_LENGTHS):
            return [NULL if value is None else _LENGTHS[len(value)] + value for value in values]  # type: ignore[arg-type,operator]
        return [NULL if value is None else _length(len(value)) + value for value in values]  # type: ignore[arg-type,operator]

    return Codec(many, _null_or(one))


# Calendar: dates as days, time stamps as microseconds, both since 2000-01-01.


def _calendar(text: str, what: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refused("calendar", f"is no {what} of the calendar (years 1 to 9999)", f"write a {what} that exists") from None


def _one_date(value: Value) -> bytes:
    if not isinstance(value, bytearray):
        raise _wrong_class(value, "a date as text")
    if not re.fullmatch(rb"\d{4}-\d\d-\d\d", value):
        raise Refused("date-form", "is not written as YYYY-MM-DD", "write the date alone, as YYYY-MM-DD")
    return struct.pack(">ii", 4, (_calendar(value.decode(), "date") - EPOCH).days)


def _dates(values: Values) -> list[bytes] | None:
    texts = _plain(values, _PLAIN_DATES)
    if texts is None:
        return None
    try:
        days = {text: struct.pack(">ii", 4, (dt.datetime.fromisoformat(text) - EPOCH).days) for text in set(texts)}
    except ValueError:
        return None
    return _filled(values, [days[text] for text in texts])


DATE = Codec(_dates, _null_or(_one_date))


def _plain(values: Values, pattern: re.Pattern[bytes]) -> list[str] | None:
    """The texts of a batch, NULLs left out, when each of them has the plain form."""
    if not _of_types(values, bytearray):
        return None
    joined = b"".join([value + b"\n" for value in values if value is not None])  # type: ignore[operator, misc]
    return joined.decode().splitlines() if pattern.fullmatch(joined) else None


def _filled(values: Values, packed: list[bytes]) -> list[bytes]:
    """The packed values with the NULLs between them."""
    if len(packed) == len(values):
        return packed
    following = iter(packed)
    return [NULL if value is None else next(following) for value in values]


def _micros(stamp: dt.datetime) -> int:
    since = stamp - EPOCH
    return since.days * DAY + since.seconds * 1_000_000 + since.microseconds


def _stamp(parse: Callable[[bytearray], dt.datetime]) -> Codec:
    def one(value: Value) -> bytes:
        if not isinstance(value, bytearray):
            raise _wrong_class(value, "a time stamp as text")
        return _eight(8, _micros(parse(value)))

    def many(values: Values) -> list[bytes] | None:
        # Neither kind of column asks anything more of a time without a zone: both hold UTC.
        texts = _plain(values, _PLAIN_STAMPS)
        if texts is None:
            return None
        packed = []
        read, epoch = dt.datetime.fromisoformat, EPOCH
        try:
            for text in texts:
                since = read(text) - epoch
                packed.append(_eight(8, since.days * DAY + since.seconds * 1_000_000 + since.microseconds))
        except ValueError:
            return None
        return _filled(values, packed)

    return Codec(many, _null_or(one))


def _parts(value: bytearray) -> tuple[dt.datetime, dt.timedelta | None]:
    """A time stamp and its distance from UTC, None when it names none."""
    found = _STAMP.fullmatch(value)
    if found is None:
        raise Refused(
            "stamp-form", "is not written as YYYY-MM-DD HH:MM:SS[.ffffff]", "write it so; the application's own values are"
        )
    date, clock, fraction, zone = (part.decode() if part is not None else "" for part in found.groups())
    if fraction[6:].strip("0"):
        raise Refused("precision", "is finer than a microsecond, PostgreSQL's unit", "shorten the fraction to six digits")
    if clock >= "24":
        # Newer Pythons take 24:00:00 for the next day's midnight.
        raise Refused("calendar", "has an hour that does not exist", "write a time that exists")
    stamp = _calendar(f"{date} {clock}", "time").replace(microsecond=int(fraction[:6].ljust(6, "0")))
    if not zone:
        return stamp, None
    if zone == "Z":
        return stamp, dt.timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 15 or minutes > 59:
        raise Refused("calendar", "has a zone that does not exist", "write the time in UTC")
    distance = dt.timedelta(hours=hours, minutes=minutes)
    return stamp, distance if zone[0] == "+" else -distance


def _at_utc(stamp: dt.datetime, distance: dt.timedelta) -> dt.datetime:
    try:
        return stamp - distance
    except OverflowError:
        raise Refused("calendar", "is outside the years 1 to 9999 in UTC", "write a time within them") from None


def _naive(value: bytearray, zoned_as_utc: bool) -> dt.datetime:
    stamp, distance = _parts(value)
    if distance is None:
        return stamp
    if not zoned_as_utc:
        raise Refused(
            "zone",
            "names a zone, and the column has none",
            "--zoned-as-utc writes it as UTC; or write it without a zone in SQLite",
        )
    return _at_utc(stamp, distance)


def instant(value: bytearray) -> dt.datetime:
    """In UTC. Without a zone it is UTC: SQLite's CURRENT_TIMESTAMP is, and so is everything that the application writes."""
    stamp, distance = _parts(value)
    return stamp if distance is None else _at_utc(stamp, distance)


# JSON in a column of that type. It is kept as the text it is, a bare number as SQLite has it; only its form is checked.


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json(value: Value) -> bytes:
    if isinstance(value, int | float):
        # A bare number: SQLite gives a column that is declared JSON a number's affinity, and keeps the text 5 as a whole number.
        if not math.isfinite(value):
            raise Refused("json", "is not JSON: it is infinite or no number", "write JSON, or NULL")
        value = bytearray(repr(value).encode())
    if not isinstance(value, bytearray):
        raise _wrong_class(value, "JSON as text")
    text = _utf8(value)
    try:
        # Numbers are not made: a long one would cost much, and its digits are kept as they are.
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Refused("json", f"is not JSON: {why}", "write JSON, or NULL") from None
    return _length(len(value)) + value


JSON = Codec(lambda values: None, _null_or(_json))


# Bytes.


def _blob(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise _wrong_class(value, "bytes")
    if len(value) > LARGEST:
        raise Refused("size", f"has {len(value):,} bytes; {LARGEST:,} is the most for one value", "store it elsewhere")
    return _length(len(value)) + value


BLOB = Codec(lambda values: None, _null_or(_blob))
