"""What a live cluster has that no archive has: taken to where it is recovered, and left for its next server to archive."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backup import unarchived


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A live cluster whose archive got the third segment; the fifth is in use, the sixth is of long ago. And a restored one."""
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    live, restored = tmp_path / "live", tmp_path / "restored"
    for cluster in (live, restored):
        (cluster / "pg_wal" / "archive_status").mkdir(parents=True)
    for number in range(2, 7):
        (live / "pg_wal" / segment(number)).write_text(f"segment {number}")
    for name in ("00000001.history", "00000002.history"):
        (live / "pg_wal" / name).write_text(name)
    for mark in (f"{segment(2)}.done", f"{segment(3)}.done", f"{segment(4)}.ready", "00000001.history.done"):
        (live / "pg_wal" / "archive_status" / mark).touch()
    return live, restored


def segment(number: int) -> str:
    return f"0000000200000000{number:08X}"


def test_c3_what_no_archive_has_is_carried_from_the_disk(clusters: tuple[Path, Path]) -> None:
    live, restored = clusters
    assert unarchived.carried(live, restored) == ["00000002.history", segment(4), segment(5)]
    assert (restored / "pg_wal" / segment(5)).read_text() == "segment 5"
    assert not (restored / "pg_wal" / segment(6)).exists(), "what it held long ago is no part of the log"


def test_c3_a_segment_that_is_archived_and_goes_meanwhile_is_no_fault(
    clusters: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    live, restored = clusters
    (live / "pg_wal" / segment(4)).unlink()
    monkeypatch.setattr(unarchived, "names", lambda _: [segment(4), segment(5)])
    assert unarchived.carried(live, restored) == [segment(5)]


def test_c1_the_next_server_archives_what_its_past_needs_and_once(clusters: tuple[Path, Path]) -> None:
    live, restored = clusters
    for _ in range(2):
        unarchived.handed_on(live, restored)
    marks = sorted(path.name for path in (restored / "pg_wal" / "archive_status").iterdir())
    assert marks == [f"{segment(4)}.ready"], "whole segments alone; the one in use was copied when the timeline began"
    assert (restored / "pg_wal" / segment(4)).read_text() == "segment 4"


def test_c3_a_cluster_without_marks_has_the_segment_in_use(tmp_path: Path) -> None:
    log = tmp_path / "pg_wal"
    (log / "archive_status").mkdir(parents=True)
    assert unarchived.names(tmp_path) == []
    (log / segment(1)).touch()
    assert unarchived.names(tmp_path) == [segment(1)]
