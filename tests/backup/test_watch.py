"""The watch itself, on a real PostgreSQL."""

from __future__ import annotations

import threading

import pytest

from backup import monitor
from tests.backup.local import local
from tests.evidence.plugin import Evidence, Short
from tests.proofs import watching


@pytest.mark.slow
@pytest.mark.proof("watcher")
def test_c9_c8_ten_thousand_looks_while_the_log_switches_are_no_alarm_and_each_fault_is_told_once(
    evidence: Evidence, short: Short
) -> None:
    evidence(watching.looks(**short(count=500, faults=2)))


def test_c9_a_segment_archived_meanwhile_is_no_alarm() -> None:
    """The archiver renames a segment's mark between two looks of one query at it."""
    with local() as server:
        marks = server.data / "pg_wal" / "archive_status"
        names = [marks / f"0000000100000000{number:08X}" for number in range(200)]
        for path in names:
            path.with_suffix(".ready").touch()
        ended = threading.Event()

        def archive() -> None:
            while not ended.is_set():
                for now, then in ((".ready", ".done"), (".done", ".ready")):
                    for path in names:
                        path.with_suffix(now).rename(path.with_suffix(then))

        thread = threading.Thread(target=archive)
        thread.start()
        try:
            answers = [server.psql(monitor.ARCHIVER) for _ in range(100)]
        finally:
            ended.set()
            thread.join()
    assert all(answer.count("|") == 5 for answer in answers)
