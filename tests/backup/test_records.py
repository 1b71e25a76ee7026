"""What happened is kept, success is measured, and only one works at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backup import records
from backup.records import BACKUP, DRILL, DUMPS, RESTORE, Record
from lab.client import ROOT
from lab.waiting import wait_for

GOOD = Record(BACKUP, 1000.0, 1090.5, 0, "33 MB backed up", 3843760)
BAD = Record(BACKUP, 2000.0, 2001.0, 3, "the store cannot be reached")


def test_us6_4_an_attempt_is_kept_and_read_again(tmp_path: Path) -> None:
    assert records.read(BACKUP, state=tmp_path) is None
    records.write(BAD, tmp_path / "made" / "when missing")
    assert records.read(BACKUP, state=tmp_path / "made" / "when missing") == BAD
    assert not BAD.good


def test_sc005_a_good_attempt_stays_when_later_ones_fail(tmp_path: Path) -> None:
    for record in (GOOD, BAD, Record(BACKUP, 3000.0)):
        records.write(record, tmp_path)
        assert records.read(BACKUP, state=tmp_path) == record
        assert records.read(BACKUP, good=True, state=tmp_path) == GOOD
    assert records.read(DRILL, state=tmp_path) is None
    later = Record(BACKUP, 4000.0, 4001.0)
    records.write(later, tmp_path)
    assert records.read(BACKUP, good=True, state=tmp_path) == later


def test_us6_4_one_that_runs_or_was_killed_is_not_good() -> None:
    assert GOOD.good
    assert GOOD.seconds == 90.5
    assert not Record(BACKUP, 1000.0).good
    assert Record(BACKUP, 1000.0).seconds == 0


@pytest.mark.parametrize("text", ["", "{", '{"kind": "backup"}', "[]", "null", '"backup"'])
def test_us6_4_a_record_that_was_cut_off_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "backup.json").write_text(text)
    assert records.read(BACKUP, state=tmp_path) is None


def test_sc005_metrics_tell_of_success_alone(tmp_path: Path) -> None:
    metrics = tmp_path / records.METRICS
    records.write(Record(BACKUP, 900.0), tmp_path)
    records.write(BAD, tmp_path)
    assert not metrics.exists()
    records.write(GOOD, tmp_path)
    told = metrics.read_text()
    assert "\nsignupflow_backup_last_success_timestamp_seconds 1090\n" in told
    assert "\nsignupflow_backup_duration_seconds 90\n" in told
    assert "\nsignupflow_backup_size_bytes 3843760\n" in told
    records.write(BAD, tmp_path)
    assert metrics.read_text() == told
    records.write(Record(DUMPS, 5000.0, 5001.0), tmp_path)
    both = metrics.read_text()
    assert told in both
    assert "\nsignupflow_dumps_last_success_timestamp_seconds 5001\n" in both


def test_sc005_metrics_are_in_the_collectors_format(tmp_path: Path) -> None:
    for kind in records.KINDS:
        records.write(Record(kind, 1.0, 2.0, 0, "", 3), tmp_path)
    lines = (tmp_path / records.METRICS).read_text().splitlines()
    samples = [line.split(" ") for line in lines if not line.startswith("#")]
    assert len(samples) == 12
    assert all(len(sample) == 2 and float(sample[1]) >= 0 for sample in samples)
    for name, _ in samples:
        assert sum(line.startswith(f"# HELP {name} ") for line in lines) == 1
        assert lines.count(f"# TYPE {name} gauge") == 1


def test_sc005_a_file_is_the_old_or_the_new_one_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "backup.json"
    records.replace(path, "old\n")
    before = path.stat().st_ino
    records.replace(path, "new\n")
    assert path.read_text() == "new\n"
    assert path.stat().st_ino != before, "replaced, not written over"
    assert [found.name for found in tmp_path.iterdir()] == ["backup.json"]
    # What a power cut left of a new one is in nobody's way.
    (tmp_path / ".backup.json.new").write_text("half")
    records.replace(path, "newer\n")
    assert [found.name for found in tmp_path.iterdir()] == ["backup.json"]


HOLD = """
import sys, time
from pathlib import Path
from backup import records
with records.alone("backup", 60, "another backup", state=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock, until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    wait_for(condition, seconds, "it never came", every=0.01)


@pytest.mark.parametrize("end", ["kill", "orderly"])
def test_us6_1_the_second_waits_and_is_given_the_lock_however_the_first_ends(tmp_path: Path, end: str) -> None:
    said: list[str] = []
    given: list[bool] = []

    def second() -> None:
        with records.alone("backup", 60, "another backup", said.append, tmp_path):
            given.append(records.held("backup", tmp_path))

    with holder(tmp_path) as first:
        thread = threading.Thread(target=second)
        thread.start()
        until(lambda: said)
        assert not given
        if end == "kill":
            os.kill(first.pid, 9)
        else:
            assert first.stdin
            first.stdin.close()
        thread.join(20)
    assert given == [True]
    assert said == ["another backup runs; this one waits for it"], "said once, however long it waits"
    assert not records.held("backup", tmp_path)


def test_us6_1_who_waits_too_long_says_for_what(tmp_path: Path) -> None:
    with (
        holder(tmp_path),
        pytest.raises(TimeoutError, match=r"^another backup still runs after 0 s$"),
        records.alone("backup", 0, "another backup", None, tmp_path),
    ):
        pytest.fail("it was given a lock that somebody has")


def test_us6_1_whoever_fails_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), records.alone("backup", 0, "another backup", None, tmp_path):
        raise ZeroDivisionError
    with records.alone("backup", 0, "another backup", None, tmp_path):
        assert records.held("backup", tmp_path)
        # Another kind of work does not wait for this one.
        with records.alone(RESTORE, 0, "another restore", None, tmp_path):
            pass


def test_us6_4_asking_whether_somebody_works_takes_nothing(tmp_path: Path) -> None:
    assert not records.held("backup", tmp_path)
    assert not records.held("backup", tmp_path)
    with holder(tmp_path):
        assert records.held("backup", tmp_path)
        assert not records.held(RESTORE, tmp_path)
    assert not records.held("backup", tmp_path)


def test_us6_4_where_nobody_has_ever_worked_nobody_works(tmp_path: Path) -> None:
    # Or the record of a killed attempt would count as one that runs, and nobody would be told.
    assert not records.held("backup", tmp_path / "not made yet")


def test_a36_every_restore_that_ended_is_kept_for_the_history(tmp_path: Path) -> None:
    path = tmp_path / records.RESTORES
    for record in (
        Record(records.RESTORE, 1.0),
        Record(records.RESTORE, 1.0, 2.0, 0, "restored x"),
        Record(records.BACKUP, 3.0, 4.0),
    ):
        records.write(record, tmp_path)
    path.write_bytes(path.read_bytes() + b'{"kind":"res')
    records.write(Record(records.RESTORE, 5.0, 6.0, 4, "failed"), tmp_path)
    first, torn, last = path.read_text().splitlines()
    assert json.loads(first)["message"] == "restored x"
    assert torn == '{"kind":"res'
    assert json.loads(last)["exit_code"] == 4
