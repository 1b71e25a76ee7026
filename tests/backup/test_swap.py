"""Two directories exchange their names in one step, or nothing happens."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from signupflow.backup import swap
from signupflow.backup.outcome import Failed, Restore


@pytest.fixture
def clusters(tmp_path: Path) -> tuple[Path, Path]:
    live, restored = tmp_path / "cluster", tmp_path / "before-20261127T020000Z"
    for path in (live, restored):
        (path / "base").mkdir(parents=True)
        (path / "PG_VERSION").write_text(path.name)
    return live, restored


def test_us6_2_two_directories_exchange_their_names(clusters: tuple[Path, Path]) -> None:
    live, restored = clusters
    inodes = live.stat().st_ino, restored.stat().st_ino
    swap.exchange(live, restored)
    assert (restored.stat().st_ino, live.stat().st_ino) == inodes
    assert (live / "PG_VERSION").read_text() == restored.name
    assert (restored / "PG_VERSION").read_text() == live.name
    swap.exchange(live, restored)
    assert (live.stat().st_ino, restored.stat().st_ino) == inodes, "and back"


@pytest.mark.parametrize("missing", [0, 1])
def test_us6_2_where_one_is_missing_the_other_stays(clusters: tuple[Path, Path], missing: int) -> None:
    gone, other = clusters[missing], clusters[1 - missing]
    gone.rename(gone.with_name("elsewhere"))
    with pytest.raises(FileNotFoundError) as caught:
        swap.exchange(*clusters)
    assert caught.value.errno == errno.ENOENT
    assert (caught.value.filename, caught.value.filename2) == tuple(map(str, clusters))
    assert (other / "PG_VERSION").read_text() == other.name
    assert not gone.exists()


def test_us6_2_at_no_moment_is_a_name_not_there(clusters: tuple[Path, Path]) -> None:
    done = threading.Event()
    wrong: list[Path] = []

    def look() -> None:
        while not done.is_set():
            wrong.extend(path for path in clusters if not path.exists())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(500):
            swap.exchange(*clusters)
    finally:
        done.set()
        thread.join()
    assert wrong == []


def test_us6_2_kept_clusters_are_listed_and_only_those_can_be_discarded(
    clusters: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "DATA", tmp_path)
    (tmp_path / "before-20261101T020000Z").mkdir()
    (tmp_path / "before-note.txt").touch()
    names = ["before-20261101T020000Z", "before-20261127T020000Z"]
    assert [path.name for path in swap.kept()] == names, "the oldest first"
    for name in ("cluster", "../cluster", "", ".", "before-20200101T000000Z", "before-note.txt", "before-20261101T020000Z/"):
        with pytest.raises(Failed, match="`signupflow-restore kept` shows what is") as caught:
            swap.discard(name)
        assert caught.value.code is Restore.NOT_FOUND
    swap.discard(names[0])
    assert [path.name for path in swap.kept()] == names[1:]
    assert (clusters[0] / "PG_VERSION").exists()
