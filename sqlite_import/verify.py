"""Names the rows in which two tables differ, when their digests do. Pure: it reads two streams in the order of the key."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from sqlite_import import copyformat
from sqlite_import.copyformat import Row
from sqlite_import.findings import key_text
from sqlite_import.schema import INTEGERS, Table

# Differences of one table that are named.
NAMED = 20

Key = tuple[int | bytes, ...]


@dataclass(frozen=True)
class Difference:
    """`columns` are those that differ, of a row that both sides have."""

    table: str
    key: str
    what: Literal["only in the file", "only in PostgreSQL", "different"]
    columns: tuple[str, ...] = ()


def differences(table: Table, file: BinaryIO, postgres: BinaryIO) -> list[Difference]:
    """The first differing rows, of two binary COPY streams in the order of the primary key."""
    return list(itertools.islice(_differences(table, file, postgres), NAMED))


def _differences(table: Table, file: BinaryIO, postgres: BinaryIO) -> Iterator[Difference]:
    names = [column.name for column in table.columns]
    places = [names.index(name) for name in table.primary_key.columns]
    kinds = [table.columns[place].type for place in places]

    def key(row: Row) -> Key:
        return tuple(_comparable(row[place] or b"", kind) for place, kind in zip(places, kinds, strict=True))

    def text(row: Row) -> str:
        values = tuple(value if isinstance(value, int) else bytearray(value) for value in key(row))
        return key_text(table.primary_key.columns, values)

    left, right = copyformat.rows(file), copyformat.rows(postgres)
    ours, theirs = next(left, None), next(right, None)
    while ours or theirs:
        if theirs is None or (ours is not None and key(ours) < key(theirs)):
            assert ours
            yield Difference(table.name, text(ours), "only in the file")
            ours = next(left, None)
        elif ours is None or key(theirs) < key(ours):
            yield Difference(table.name, text(theirs), "only in PostgreSQL")
            theirs = next(right, None)
        else:
            changed = tuple(name for name, one, other in zip(names, ours, theirs, strict=True) if one != other)
            if changed:
                yield Difference(table.name, text(ours), "different", changed)
            ours, theirs = next(left, None), next(right, None)


def _comparable(value: bytes, kind: str) -> int | bytes:
    if kind in INTEGERS:
        return int(struct.unpack(">" + {2: "h", 4: "i", 8: "q"}[len(value)], value)[0])
    return value
