"""The target's faults and the program's end at any moment: the target is as before, and the next run succeeds."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from lab.client import ROOT
from lab.waiting import wait_for
from sqlite_import import load, workplace
from tests.app.harness import Postgres, free_port
from tests.sqlite_import.conftest import asked, assert_same, dump
from tests.sqlite_import.test_migration import migrated

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "scripts" / "migrate_sqlite_to_postgres.py"


def test_us2_1_a_target_that_is_not_there_is_code_3(source: Path) -> None:
    code, report = migrated(source, f"postgresql://postgres:marker-9d@127.0.0.1:{free_port()}/nowhere")
    assert (code, report["outcome"]) == (3, "unready")
    assert "cannot connect" in report["error"]
    assert "marker-9d" not in report["error"]


def test_us2_1_a_target_without_the_schema_is_code_3(source: Path, server: Postgres) -> None:
    code, report = migrated(source, server.create("bare"))
    assert code == 3
    assert "alembic upgrade head" in report["error"]


def test_us2_1_a_target_of_another_revision_refuses_the_file(source: Path, target: str) -> None:
    asked(target, "UPDATE alembic_version SET version_num = 'c0ffee000000'")
    code, report = migrated(source, target)
    assert (code, [found["code"] for found in report["findings"]]) == (1, ["unknown-revision"])


def test_us2_1_somebody_who_uses_the_tables_is_waited_for_and_named(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlite_import.target.LOCK_TIMEOUT", "100ms")
    with psycopg2.connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM people")
        code, report = migrated(source, target)
    connection.close()
    assert (code, report["outcome"]) == (3, "unready")
    assert "stop the application" in report["error"]
    assert migrated(source, target)[0] == 0


def test_us2_1_two_imports_at_once_are_refused(source: Path, target: str) -> None:
    with psycopg2.connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7468311)")
        code, report = migrated(source, target)
    connection.close()
    assert code == 3
    assert "another import" in report["error"]


PHASES = ("load", "index", "verify", "analyze", "commit")


@pytest.mark.parametrize("phase", PHASES)
def test_us2_4_a_connection_lost_in_any_phase_leaves_the_target_as_it_was(
    phase: str, source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(target)
    original = load.load

    def cut(connection: Any, *arguments: Any) -> load.Loaded:
        def heard(name: str) -> None:
            arguments[-2](name)
            if name == phase:
                asked(target, "SELECT pg_terminate_backend(%s)", connection.get_backend_pid())

        replayed: Any = original
        found: load.Loaded = replayed(connection, *arguments[:-2], heard, arguments[-1])
        return found

    monkeypatch.setattr(load, "load", cut)
    code, report = migrated(source, target)
    assert (code, report["outcome"]) == (3, "unknown" if phase == "commit" else "failed")
    assert_same(target, before)
    monkeypatch.undo()
    assert migrated(source, target)[0] == 0


def test_us2_1_a_row_that_changed_on_its_way_is_seen_before_anything_is_kept(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(target)
    original = load._restart

    def spoil(cursor: Any, table: Any, *rest: Any) -> load.Next:
        cursor.execute("UPDATE public.people SET name = name || '.' WHERE id = 'people-0000001'")
        return original(cursor, table, *rest)

    monkeypatch.setattr(load, "_restart", spoil)
    code, report = migrated(source, target)
    assert (code, report["outcome"]) == (4, "different")
    assert "people" in report["error"]
    assert_same(target, before)


@pytest.mark.parametrize("moment", [0.15, 0.5, 0.7, 0.9])
def test_us2_4_killed_at_some_moment_leaves_the_target_as_it_was_or_whole(
    moment: float, source: Path, new_target: Callable[[], str]
) -> None:
    """The moment is a share of a whole run's time. `make prove LINE=import-killed` has twenty, of a large file."""
    command = [sys.executable, str(PROGRAM), "--quiet", str(source)]
    began = time.monotonic()
    assert subprocess.run([*command, new_target()], check=False, timeout=120).returncode == 0
    whole = time.monotonic() - began
    target = new_target()
    before = dump(target)
    process = subprocess.Popen([*command, target])
    try:
        process.wait(timeout=whole * moment)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    settled(target)
    if dump(target) == before:
        assert subprocess.run([*command, target], check=False, timeout=120).returncode == 0
    # Killed after the commit, or not at all: then every row is there.
    assert subprocess.run([*command, target, "--verify-only"], check=False, timeout=120).returncode == 0


def settled(url: str) -> None:
    """The server has seen that the program is gone."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'signupflow-sqlite-import'"
    wait_for(lambda: asked(url, query) == [(0,)], 30, "the server still has the program's connection")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        (["/nowhere.sqlite", "postgresql://x/y"], "does not exist"),
        (["SOURCE", "mysql://x/y"], "TARGET_URL"),
        (["SOURCE"], "DATABASE_URL"),
        (["SOURCE", "postgresql://x/y", "--dry-run", "--verify-only"], "give one of them"),
    ],
)
def test_us2_1_a_wrong_command_line_is_code_2(arguments: list[str], said: str, source: Path) -> None:
    words = [str(source) if word == "SOURCE" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, PROGRAM, *words], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_us2_1_the_target_can_stand_in_the_environment(source: Path, target: str, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(target)
    done = subprocess.run(
        [sys.executable, PROGRAM, source],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "DATABASE_URL_FILE": str(tmp_path / "url")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "migrated: every row is in PostgreSQL" in done.stdout


def test_us2_1_what_a_killed_run_left_behind_is_removed_by_the_next(source: Path, target: str, tmp_path: Path) -> None:
    """The snapshot and the rows are people's data. A folder that a run still uses stays."""
    work = tmp_path / "work"
    left, used = work / "signupflow-import-left", work / "signupflow-import-used"
    for folder in (left, used):
        folder.mkdir(parents=True)
        (folder / "in-use").touch()
        (folder / "snapshot.sqlite").write_bytes(b"people")
    with (used / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert migrated(source, target, work_dir=work)[0] == 0
    assert [folder.name for folder in work.iterdir()] == [used.name]


def test_us2_1_a_run_that_is_told_to_end_leaves_nothing_behind(source: Path, target: str, tmp_path: Path) -> None:
    before = dump(target)
    with psycopg2.connect(target) as connection, connection.cursor() as cursor:
        # Holds the run in its load, which waits for the table.
        cursor.execute("LOCK TABLE people IN ACCESS SHARE MODE")
        process = subprocess.Popen(
            [sys.executable, PROGRAM, source, target, "--work-dir", tmp_path], stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: any(tmp_path.glob("signupflow-import-*/*.copy")), 60, "the program writes nothing", every=0.01)
        process.terminate()
        _, said = process.communicate(timeout=60)
    connection.close()
    assert process.returncode == 130
    assert "interrupted; nothing was written" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("signupflow-import-*"))
    assert_same(target, before)


def test_us2_1_too_little_room_is_said_before_anything_is_read(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlite_import.workplace.ROOM", 10**12)
    with pytest.raises(workplace.CannotWork, match="--work-dir"):
        migrated(source, target)
