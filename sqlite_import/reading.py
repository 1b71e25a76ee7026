"""Every row of a table: parsed, and written as it will be sent, in the order of its primary key."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlite_import import copyformat
from sqlite_import.findings import Finding, key_text, shown
from sqlite_import.orphans import Orphans
from sqlite_import.schema import Table, quoted, quoted_list
from sqlite_import.values import NULL, Codec, Refused, Values, codec

# Rows at once: as many as make the calls per batch cheap. Wide rows come in smaller batches (WIDE bytes of a batch).
BATCH = 1000
WIDE = 4 << 20


@dataclass(frozen=True)
class Read:
    """A table as it will be sent: `digest` is the SHA-256 of the file's bytes, header and end included."""

    table: str
    rows: int
    bytes: int
    digest: str
    seconds: float


def read(
    connection: sqlite3.Connection,
    table: Table,
    target: Path,
    found: Callable[[Finding], None],
    *,
    orphans: Orphans | None = None,
    zoned_as_utc: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Read:
    """Parse all rows into `target`; what is refused goes to `found`. `progress` gets the rows read so far."""
    began = time.monotonic()
    codecs = [codec(column, zoned_as_utc=zoned_as_utc) for column in table.columns]
    start = copyformat.row_start(len(table.columns))
    count = 0
    with target.open("wb", buffering=1 << 20) as file:
        out = _Hashed(file)
        out.write(copyformat.HEADER)
        for batch in _batches(connection, table, orphans):
            packed = [
                _column(table, index, one, values, batch, found)
                for index, (one, values) in enumerate(zip(codecs, zip(*batch, strict=True), strict=True))
            ]
            out.write(start + start.join(map(b"".join, zip(*packed, strict=True))))
            count += len(batch)
            progress(count)
        out.write(copyformat.TRAILER)
    return Read(table.name, count, out.bytes, out.hash.hexdigest(), time.monotonic() - began)


def _batches(connection: sqlite3.Connection, table: Table, orphans: Orphans | None) -> Iterator[list[tuple[Any, ...]]]:
    order = ", ".join(f"t.{quoted(name)} COLLATE BINARY" for name in table.primary_key.columns)
    condition = f" WHERE {orphans.without(table.name, 't')}" if orphans else ""
    columns = quoted_list(tuple(column.name for column in table.columns))
    cursor = connection.execute(f"SELECT {columns} FROM {quoted(table.name)} AS t{condition} ORDER BY {order}")
    size = BATCH
    while batch := cursor.fetchmany(size):
        yield batch
        wide = max(
            sum(len(value) for value in row if isinstance(value, bytearray | bytes)) for row in batch[:: max(1, size // 50)]
        )
        size = max(1, min(BATCH, WIDE // max(1, wide)))


def _column(
    table: Table, index: int, one: Codec, values: Values, batch: list[tuple[Any, ...]], found: Callable[[Finding], None]
) -> list[bytes]:
    column = table.columns[index]
    if not column.nullable and None in values:
        for row in batch:
            if row[index] is None:
                found(
                    _finding(
                        table,
                        row,
                        index,
                        Refused("not-null", "is NULL, and the column takes none", "write a value, or delete the row"),
                    )
                )
    packed = one.pack(values)
    if packed is not None:
        return packed
    packed = []
    for row, value in zip(batch, values, strict=True):
        try:
            packed.append(one.one(value))
        except Refused as refused:
            packed.append(NULL)
            found(_finding(table, row, index, refused))
    return packed


def _finding(table: Table, row: tuple[Any, ...], index: int, refused: Refused) -> Finding:
    names = [column.name for column in table.columns]
    key = tuple(row[names.index(name)] for name in table.primary_key.columns)
    return Finding(
        refused.code,
        refused.reason,
        refused.advice,
        table=table.name,
        key=key_text(table.primary_key.columns, key),
        column=names[index],
        value=shown(row[index], names[index]),
    )


class _Hashed:
    """Writes and hashes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash, self.bytes = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.hash.update(data)
        self.bytes += len(data)


class Counter:
    """Rows read so far, by table, in a file that two processes share: each writes its own eight bytes."""

    def __init__(self, path: Path, tables: int) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(b"\0" * 8 * tables)

    @contextmanager
    def at(self, index: int) -> Iterator[Callable[[int], None]]:
        with self.path.open("r+b", buffering=0) as file:

            def note(rows: int) -> None:
                os.pwrite(file.fileno(), struct.pack("q", rows), 8 * index)

            yield note

    def total(self) -> int:
        return sum(count for (count,) in struct.iter_unpack("q", self.path.read_bytes()))
