"""The file as a whole: refused when it is not one, read as one moment when it is."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sqlite_import import command
from tests.sqlite_import.conftest import asked, assert_same, dump
from tests.sqlite_import.test_migration import content, migrated


def _cut(path: Path, size: int) -> None:
    os.truncate(path, size)


def _scrambled(path: Path) -> None:
    """As SQLCipher leaves it: nothing of the header is to be seen."""
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def _overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)


def _index_of_other_rows(path: Path) -> None:
    """An index that does not say what the table says: SQLite would answer from either."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("CREATE INDEX other ON people (name)")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX other ON people (email)' WHERE name = 'other'")
        connection.commit()


def _named_in_another_encoding(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET name = CAST(x'cf41' AS TEXT), sql = 'CREATE nothing' WHERE name = 'people'")
        connection.commit()


WHOLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: _cut(path, 0), "empty-file"),
    "half-a-header": (lambda path: _cut(path, 50), "truncated"),
    "cut-off": (lambda path: _cut(path, path.stat().st_size // 2), "truncated"),
    "cut-off-in-a-page": (lambda path: _cut(path, path.stat().st_size - 100), "truncated"),
    "encrypted": (_scrambled, "foreign-file"),
    "a-text": (lambda path: path.write_text("-- a dump\nCREATE TABLE people ();\n" * 50), "foreign-file"),
    "corrupt": (_overwritten, "corrupt"),
    "names-not-utf8": (_named_in_another_encoding, "corrupt"),
    "wrong-index": (_index_of_other_rows, "corrupt"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_us2_1_a_file_that_is_not_whole_is_refused(case: str, source: Path, target: str) -> None:
    spoil, code = WHOLE[case]
    spoil(source)
    before, exact = content(source), dump(target)
    exit_code, report = migrated(source, target)
    assert (exit_code, {found["code"] for found in report["findings"]}) == (1, {code})
    assert content(source) == before
    assert_same(target, exact)


def test_us2_1_a_file_of_another_program_is_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")
        connection.commit()
    code, report = migrated(path, target)
    assert (code, {found["code"] for found in report["findings"]}) == (1, {"missing-table", "extra-table"})


def test_us2_1_text_in_utf_16_is_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "wide.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA encoding = 'UTF-16'")
        connection.execute("CREATE TABLE people (id)")
        connection.commit()
    code, report = migrated(path, target)
    assert (code, [found["code"] for found in report["findings"]]) == (1, ["utf-16"])


def test_us2_1_a_journal_that_a_crash_left_is_undone_in_a_copy_only(source: Path, target: str) -> None:
    # The writer is stopped in the middle of a transaction that has reached the file.
    program = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1')\n"
        "c.execute('PRAGMA cache_spill = 1')\n"
        "c.execute('BEGIN')\n"
        "c.execute(\"UPDATE people SET name = 'half done'\")\n"
        "c.execute('UPDATE events SET type = upper(type) || hex(randomblob(500))')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, source], check=False, timeout=60)
    assert Path(f"{source}-journal").stat().st_size
    before = content(source)
    code, report = migrated(source, target)
    assert code == 0, report
    assert asked(target, "SELECT count(*) FROM people WHERE name = 'half done'") == [(0,)]
    assert content(source) == before


@pytest.mark.parametrize("index_is_there", [True, False])
def test_us2_1_a_wal_that_a_crash_left_is_read_and_not_touched(index_is_there: bool, source: Path, target: str) -> None:
    program = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1])\n"
        "c.execute('PRAGMA journal_mode = WAL')\n"
        "c.execute(\"UPDATE people SET name = 'only in the WAL'\")\n"
        "c.commit()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, source], check=False, timeout=60)
    index = Path(f"{source}-shm")
    if not index_is_there:
        index.unlink()
    before = written(source)
    code, report = migrated(source, target)
    assert code == 0, report
    assert report["source"]["wal_bytes"] > 0
    assert asked(target, "SELECT DISTINCT name FROM people") == [("only in the WAL",)]
    assert written(source) == before
    assert index.exists() is index_is_there


def written(path: Path) -> dict[str, str]:
    """Digests without the WAL's index, in which every reader leaves its mark."""
    return {name: digest for name, digest in content(path).items() if not name.endswith("-shm")}


def test_us2_1_a_writer_goes_on_and_the_snapshot_is_one_moment(source: Path, target: str) -> None:
    """Each of the writer's transactions adds to two tables; the snapshot has as many of both, and the report says so."""
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=30)) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                with connection:
                    connection.execute(
                        "INSERT INTO teams (id, org_id, name, is_sample) VALUES (?, 'organizations-0000000', 'w', 0)",
                        (f"w{number:09}",),
                    )
                    connection.execute(
                        "INSERT INTO resources (id, org_id, type, location) VALUES (?, 'organizations-0000000', 'w', 'w')",
                        (f"w{number:09}",),
                    )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        code, report = migrated(source, target)
    finally:
        stop.set()
        writer.join()
    assert (code, report["source"].get("changed_since")) == (0, True), report
    assert [note for note in report["notes"] if "changed since" in note]
    (teams,), (resources,) = asked(
        target, "SELECT count(*) FROM teams WHERE id LIKE 'w%%' UNION ALL SELECT count(*) FROM resources WHERE id LIKE 'w%%'"
    )
    assert teams == resources


def test_us2_1_a_file_that_nobody_writes_is_not_said_to_have_changed(source: Path, target: str) -> None:
    assert "changed_since" not in migrated(source, target)[1]["source"]


@pytest.mark.slow
def test_us2_1_no_mutated_file_ends_in_a_traceback(good_file: Path, target: str, tmp_path: Path) -> None:
    """A hundred here; `make prove LINE=import-fuzz` does ten thousand."""
    assert fuzz(good_file, target, tmp_path, range(100)).keys() <= {0, 1}


def fuzz(good: Path, url: str, folder: Path, seeds: range) -> dict[int, int]:
    """Mutated copies, checked only; how often each exit code came. An exception passes through."""
    codes: dict[int, int] = {}
    original = good.read_bytes()
    path = folder / "mutated.sqlite"
    for seed in seeds:
        path.write_bytes(mutated(original, random.Random(seed)))
        code = command.run(command.Options(path, url, dry_run=True, quiet=True, jobs=1), say=lambda line: None)
        codes[code] = codes.get(code, 0) + 1
    return codes


def mutated(original: bytes, dice: random.Random) -> bytes:
    data = bytearray(original)
    for _ in range(dice.choice((1, 2, 8, 64))):
        at = dice.randrange(min(len(data), dice.choice((100, 4096, len(data)))))
        match dice.randrange(5):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                data[at] ^= 1 << dice.randrange(8)
            case 2:
                size = dice.randrange(1, 64)
                data[at : at + size] = dice.randbytes(min(size, len(data) - at))
            case 3:
                other = dice.randrange(len(data))
                size = min(dice.randrange(1, 4096), len(data) - max(at, other))
                data[at : at + size] = data[other : other + size]
            case _:
                del data[len(data) - dice.randrange(1, 5000) :]
    return bytes(data)
