"""Two directories exchange their names in one step, or nothing happens."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
from docker.errors import NotFound

from backup import replaced, swap, writes
from backup.exit_codes import Failed, Restore
from backup.replaced import Note


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


class Engine:
    """Docker's engine with PostgreSQL's container: healthy on clusters whose PG_VERSION is named, restarting on others."""

    def __init__(self, runs_on: set[str]) -> None:
        self.runs_on, self.log = runs_on, list[str]()
        self.containers = SimpleNamespace(get=lambda _: self)
        self.status, self.attrs = "running", dict[str, Any]()

    def stop(self, timeout: int) -> None:
        self.log.append("stop")

    def start(self) -> None:
        self.log.append(f"start on {(swap.CLUSTER / 'PG_VERSION').read_text()}")

    def reload(self) -> None:
        well = (swap.CLUSTER / "PG_VERSION").read_text() in self.runs_on
        self.attrs = {"RestartCount": 0 if well else 3, "State": {"Health": {"Status": "healthy" if well else "starting"}}}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A live cluster called old, and a restored one called new in a scratch directory."""
    monkeypatch.setattr(swap, "DATA", tmp_path)
    monkeypatch.setattr(swap, "CLUSTER", tmp_path / "cluster")
    monkeypatch.setattr(swap, "JOURNAL", tmp_path / "swap.json")
    monkeypatch.setattr(replaced, "FILE", tmp_path / "replaced.json")
    monkeypatch.setattr(replaced, "OLD_FILE", tmp_path / "replaced")
    monkeypatch.setattr(writes, "MARK", tmp_path / "writes-stopped")
    for name, path in (("old", tmp_path / "cluster"), ("new", tmp_path / "scratch-restore" / "cluster")):
        path.mkdir(parents=True)
        (path / "PG_VERSION").write_text(name)
    return tmp_path


NAME = "before-20261127T020000Z"
SINCE = 1795744800.0
# Nothing has been acknowledged since by a server that still runs: until when is known once it is stopped.
NOTE = Note(NAME, SINCE, 0.0, 1, "0/7000318", f"/data/{NAME}")


def swapped(engine: Engine, host: Path, note: Note = NOTE, stored: list[list[Note]] | None = None) -> Path:
    """What the repositories are told of goes to `stored`: the notes that count, each time."""

    def store() -> None:
        if stored is not None:
            stored.append(replaced.notes())

    return (
        host
        / swap.swap(cast("docker.DockerClient", engine), host / "scratch-restore" / "cluster", note, store, lambda _: None).name
    )


def test_us6_2_the_restored_cluster_serves_and_the_old_one_is_kept(host: Path) -> None:
    engine = Engine({"old", "new"})
    kept = swapped(engine, host)
    assert engine.log == ["stop", "start on new"]
    assert (kept / "PG_VERSION").read_text() == "old"
    assert not (host / "swap.json").exists()


def test_us6_2_a_server_that_does_not_come_on_the_restored_cluster_gets_the_old_one_back(host: Path) -> None:
    engine = Engine({"old"})
    with pytest.raises(Failed, match="the previous database serves again") as caught:
        swapped(engine, host)
    assert caught.value.code is Restore.FAILED
    assert engine.log == ["stop", "start on new", "stop", "start on old"]
    assert (host / "cluster" / "PG_VERSION").read_text() == "old"
    assert swap.kept() == [], "what does not start is not kept as if it had served"
    assert not (host / "swap.json").exists()


def test_us6_2_when_it_comes_on_neither_the_old_one_is_in_place_and_the_next_run_tries_again(host: Path) -> None:
    with pytest.raises(Failed, match="neither does it on the previous one"):
        swapped(Engine(set()), host)
    assert (host / "cluster" / "PG_VERSION").read_text() == "old"
    engine = Engine({"old"})
    swap.finished(cast("docker.DockerClient", engine), lambda _: None)
    assert engine.log == ["start on old"]
    assert not (host / "swap.json").exists()


class KilledError(BaseException):
    """SIGKILL: nothing is caught, nothing is cleared away."""


def killed(*_: Any, **__: Any) -> None:
    raise KilledError


@pytest.mark.parametrize(
    ("owner", "step", "serves"),
    [("os", "rename", "old"), ("engine", "stop", "old"), ("swap", "exchange", "old"), ("engine", "start", "new")],
)
def test_us6_2_killed_at_a_step_the_next_run_starts_what_is_in_place(
    owner: str, step: str, serves: str, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the exchange what was restored goes, and nothing passes for a cluster that served; after it the old one is kept."""
    engine = Engine({"old", "new"})
    with monkeypatch.context() as dying:
        dying.setattr({"os": os, "engine": engine, "swap": swap}[owner], step, killed)
        with pytest.raises(KilledError):
            swapped(engine, host)
    assert (host / "cluster" / "PG_VERSION").read_text() == serves
    swap.finished(cast("docker.DockerClient", engine), lambda _: None)
    assert engine.log[-1] == f"start on {serves}"
    assert [note.name for note in replaced.notes()] == ([NAME] if serves == "new" else []), "the note goes with the exchange"
    assert [(kept / "PG_VERSION").read_text() for kept in swap.kept()] == (["old"] if serves == "new" else [])
    assert not (host / "swap.json").exists()


@pytest.mark.parametrize(("step", "serves"), [("stop", "old"), ("start", "new")])
def test_us6_2_killed_and_then_it_does_not_come_nothing_is_exchanged_or_removed(
    step: str, serves: str, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users may have written to what is in place, and the other may be the only one that is good."""
    engine = Engine(set())
    with monkeypatch.context() as dying:
        dying.setattr(engine, step, killed)
        with pytest.raises(KilledError):
            swapped(engine, host)
    for _ in range(2):
        with pytest.raises(Failed, match="after an interrupted swap"):
            swap.finished(cast("docker.DockerClient", engine), lambda _: None)
    assert (host / "cluster" / "PG_VERSION").read_text() == serves
    (kept,) = swap.kept()
    assert {serves, (kept / "PG_VERSION").read_text()} == {"old", "new"}


def test_us6_2_a_cluster_that_was_taken_away_after_a_kill_does_not_stop_the_next_restore(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(set())
    with monkeypatch.context() as dying:
        dying.setattr(engine, "start", killed)
        with pytest.raises(KilledError):
            swapped(engine, host)
    (host / "cluster").rename(host / "aside")
    swap.finished(cast("docker.DockerClient", engine), lambda _: None)
    assert not (host / "swap.json").exists()
    assert len(swap.kept()) == 1


def test_us6_2_without_a_container_nothing_is_moved(host: Path) -> None:
    engine = Engine(set())

    def gone(_: str) -> None:
        raise NotFound("no such container")

    engine.containers.get = gone
    with pytest.raises(Failed, match=r"run deploys/production\.py first"):
        swapped(engine, host)
    assert (host / "scratch-restore" / "cluster" / "PG_VERSION").read_text() == "new"
    assert not (host / "swap.json").exists()


def test_c2_the_note_is_on_the_host_and_in_the_store_before_anything_of_the_new_timeline_is(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, stored = Engine({"old", "new"}), list[list[Note]]()
    looked: list[list[str]] = []
    start = engine.start

    def started() -> None:
        looked.append([note.name for note in stored[-1]] if stored else [])
        start()

    monkeypatch.setattr(engine, "start", started)
    before = time.time()
    swapped(engine, host, stored=stored)
    assert looked == [[NAME]], "told before the server starts on the new cluster"
    (note,) = replaced.notes()
    assert note.since == SINCE
    assert before <= note.until <= time.time(), "until nothing was acknowledged any more, which is after it was stopped"
    assert (note.timeline, note.at, note.kept) == (1, "0/7000318", f"/data/{NAME}")


def test_c2_a_cluster_that_makes_way_again_leaves_no_note_that_counts(host: Path) -> None:
    stored: list[list[Note]] = []
    with pytest.raises(Failed, match="the previous database serves again"):
        swapped(Engine({"old"}), host, stored=stored)
    assert [[note.name for note in notes] for notes in stored] == [[NAME], []], "and the store is told that it came to nothing"


def test_c1_a_restore_that_caught_up_leaves_nothing_between(host: Path) -> None:
    swapped(Engine({"old", "new"}), host, dataclasses.replace(NOTE, until=SINCE))
    (note,) = replaced.notes()
    assert note.since == note.until
    assert not note.within(datetime.now(UTC))


@pytest.mark.parametrize("runs_on", [{"old", "new"}, {"old"}], ids=["exchanged", "made way"])
def test_c1_whichever_cluster_serves_takes_writes_and_so_would_the_other(host: Path, runs_on: set[str]) -> None:
    """The setting that stops writes is on the disk of the live cluster; a backup made meanwhile has it as well."""
    line = "default_transaction_read_only = 'on'\n"
    for cluster in (host / "cluster", host / "scratch-restore" / "cluster"):
        (cluster / "postgresql.auto.conf").write_text(f"work_mem = '8MB'\n{line}restore_command = 'x'\n")
    with contextlib.suppress(Failed):
        swapped(Engine(runs_on), host)
    left = [path.read_text() for path in host.glob("*/postgresql.auto.conf")]
    assert left
    assert set(left) == {"work_mem = '8MB'\nrestore_command = 'x'\n"}


def test_c1_a_restore_that_was_killed_while_it_stopped_writes_is_undone_by_the_next_look(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Live:
        running = True

        def __init__(self, *_: object) -> None:
            pass

        def psql(self, sql: str) -> str:
            said.append(sql)
            return ""

    monkeypatch.setattr(writes, "Server", Live)
    writes.MARK.write_text("1795744800\n")
    for _ in range(2):
        swap.finished(cast("docker.DockerClient", Engine({"old"})), lambda _: None)
    assert said == ["alter system reset default_transaction_read_only", "select pg_reload_conf()"], "once"
    assert not writes.MARK.exists()
