"""PostgreSQL's binary COPY: a header, rows of counted fields, an end. Pure.

The same rows in the same order give the same bytes on the way in and on the way out, so that a hash of them compares a
table's content, value by value and bit by bit.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)

Row = tuple[bytes | None, ...]


def row_start(columns: int) -> bytes:
    return struct.pack(">h", columns)


def rows(file: BinaryIO) -> Iterator[Row]:
    """The rows of a stream, each field as its bytes. Raises ValueError when it is cut off or something else."""
    if file.read(len(HEADER)) != HEADER:
        raise ValueError("no binary COPY")
    while True:
        (count,) = struct.unpack(">h", _exactly(file, 2))
        if count == -1:
            return
        yield tuple(_field(file) for _ in range(count))


def _field(file: BinaryIO) -> bytes | None:
    (length,) = struct.unpack(">i", _exactly(file, 4))
    return None if length == -1 else _exactly(file, length)


def _exactly(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) != count:
        raise ValueError("a binary COPY that ends in the middle of a row")
    return found
