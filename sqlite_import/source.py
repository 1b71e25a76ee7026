"""The SQLite file: refused when it is not whole, and otherwise read as a snapshot of its own. Never written to.

The snapshot is made by SQLite's backup interface in one step, so that it is one moment of a file that others go on writing,
with what lies in the WAL. Everything after reads the snapshot only.
"""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlite_import.findings import Finding
from sqlite_import.workplace import CannotWork

OLDEST = (3, 37, 0)
MAGIC = b"SQLite format 3\0"
HEADER = 100
# No value may be larger: above what is carried (values.LARGEST), so that it is found and named.
LARGEST_VALUE = 512 << 20
# What reading a broken file raises: SQLite's messages quote names, and sqlite3 cannot decode those that are not UTF-8.
BROKEN = (sqlite3.Error, UnicodeError, OverflowError, MemoryError)
# How long to wait for a writer that holds the whole file.
BUSY = 30.0
ENCODINGS = {1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"}
# Problems that the integrity check is asked for; one is enough to refuse, some help to judge.
PROBLEMS = 20


class Unusable(Exception):
    """The file cannot be imported as a whole."""

    def __init__(self, code: str, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.finding = Finding(code, reason, advice)


@dataclass(frozen=True)
class SourceColumn:
    name: str
    declared: str


@dataclass(frozen=True)
class SourceTable:
    name: str
    columns: tuple[SourceColumn, ...]
    # Whether rows have the number by which SQLite finds them.
    has_rowid: bool


@dataclass(frozen=True)
class Signature:
    """What changes when a file is written: size and time of it, its WAL and its journal."""

    files: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, path: Path) -> Signature:
        found = []
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-journal")):
            try:
                status = name.stat()
            except FileNotFoundError:
                continue
            found.append((name.name, status.st_size, status.st_mtime_ns))
        return cls(tuple(found))


@dataclass
class Snapshot:
    """A copy of the file as it was at one moment."""

    source: Path
    path: Path
    wal_bytes: int
    signature: Signature = field(repr=False)

    def changed(self) -> bool:
        """Whether somebody wrote to the file since the snapshot was begun."""
        return Signature.of(self.source) != self.signature

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Read only. Text arrives as bytearray, blobs as bytes."""
        with closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro&immutable=1", uri=True)) as connection:
            connection.text_factory = bytearray
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
            # Nothing that the file brings along (views, triggers, expressions) calls anything with effects.
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            yield connection


def take(path: Path, folder: Path) -> Snapshot:
    """Copy the file, with its WAL, into `folder`. Raises Unusable."""
    check_header(path)
    copy = folder / "snapshot.sqlite"
    while True:
        signature = Signature.of(path)
        wal = next((size for name, size, _ in signature.files if name.endswith("-wal")), 0)
        left_behind, alone = _left_behind(path), _uses_wal(path) and not Path(f"{path}-wal").exists()
        # Nobody has the file open: so it must have stayed until the copy is made, else once more.
        quiet = left_behind or alone
        try:
            if left_behind:
                _copied_aside(path, copy, folder)
            else:
                # Without a WAL, opened as it is and no other way, SQLite leaves no empty WAL behind.
                _copied(path, copy, "immutable=1" if alone else "mode=ro")
        except BROKEN as error:
            if not Path(f"{path}-journal").exists():
                raise corrupt(error) from None
            quiet = True
            try:
                _copied_aside(path, copy, folder)
            except BROKEN:
                raise corrupt(error) from None
        if not quiet or Signature.of(path) == signature:
            return Snapshot(path, copy, wal, signature)


def check_version() -> None:
    """Raises CannotWork where SQLite is too old to list tables with what they are."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise CannotWork(f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, OLDEST))} is the oldest that serves")


def check_header(path: Path) -> None:
    """Refuse what is no whole SQLite file before SQLite looks at it. Raises Unusable, OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(HEADER)
    if size == 0:
        raise Unusable("empty-file", "is empty", "name the application's database; an empty one is often made by a wrong path")
    if not header.startswith(MAGIC):
        raise Unusable(
            "foreign-file", "is not an SQLite database, or an encrypted one", "name the database; decrypt it with its key first"
        )
    if size < HEADER:
        raise Unusable("truncated", f"has {size} bytes, less than its header", "copy it again, whole, with its -wal file")
    written = struct.unpack(">H", header[16:18])[0]
    page = 65536 if written == 1 else written
    changes, pages, valid_for = (struct.unpack(">I", header[at : at + 4])[0] for at in (24, 28, 92))
    if changes == valid_for and size < pages * page:
        raise Unusable(
            "truncated",
            f"has {size:,} bytes of {pages * page:,} that its header names",
            "copy it again, whole, with its -wal file",
        )


def check_encoding(connection: sqlite3.Connection) -> list[Finding]:
    """Whether text arrives as it was written."""
    encoding = connection.execute("PRAGMA encoding").fetchone()[0].decode()
    if encoding != "UTF-8":
        return [
            Finding(
                "utf-16",
                f"keeps text as {encoding}; SQLite would convert it, and replace what is not valid in it",
                "make a UTF-8 file of it and compare the two",
            )
        ]
    return []


def check_integrity(connection: sqlite3.Connection) -> list[Finding]:
    """What SQLite's own check says: pages, rows, and that each index says what its table says."""
    problems = [row[0].decode(errors="replace") for row in connection.execute(f"PRAGMA integrity_check({PROBLEMS})")]
    if problems == ["ok"]:
        return []
    advice = "restore a backup, or let `sqlite3 FILE .recover` save what it can into a new file and look at what is missing"
    return [Finding("corrupt", f"does not pass SQLite's integrity check: {problem}", advice) for problem in problems]


def corrupt(error: Exception) -> Unusable:
    return Unusable(
        "corrupt", f"cannot be read: {error}", "restore a backup, or let `sqlite3 FILE .recover` save what it can into a new file"
    )


def tables(connection: sqlite3.Connection) -> dict[str, SourceTable]:
    """The file's own tables, SQLite's left out."""
    found = {}
    names = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual', 'shadow')"
    )
    for raw, without_rowid in names.fetchall():
        # A name that is not UTF-8 is found nowhere later, which refuses the file.
        name = raw.decode(errors="replace")
        if name.startswith("sqlite_"):
            continue
        columns = tuple(
            SourceColumn(column.decode(errors="replace"), declared.decode(errors="replace"))
            for column, declared in connection.execute("SELECT name, type FROM pragma_table_xinfo(?) ORDER BY cid", (name,))
        )
        found[name] = SourceTable(name, columns, not without_rowid)
    return found


def _uses_wal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\2\2"


def _copied(path: Path, copy: Path, how: str) -> None:
    copy.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?{how}", uri=True, timeout=BUSY)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        # All pages in one step: under one lock, or in one read transaction of a WAL.
        source.backup(target)


def _left_behind(path: Path) -> bool:
    """Whether a crash has left a WAL: whoever has such a file open has its index (-shm) beside it."""
    return Path(f"{path}-wal").exists() and not Path(f"{path}-shm").exists()


def _copied_aside(path: Path, copy: Path, folder: Path) -> None:
    """What a crash left behind is worked off in a copy: SQLite would do it in the file, or cannot where it may not write.

    The caller looks whether somebody has written meanwhile.
    """
    aside = folder / "aside.sqlite"
    names = [(Path(f"{path}{end}"), Path(f"{aside}{end}")) for end in ("", "-journal", "-wal")]
    try:
        for of_file, of_copy in names:
            if of_file.exists():
                shutil.copyfile(of_file, of_copy)
        _copied(aside, copy, "mode=rw")
    finally:
        for _, of_copy in (*names, (None, Path(f"{aside}-shm"))):
            of_copy.unlink(missing_ok=True)
