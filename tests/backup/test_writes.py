"""While a restore to the last change is ended nothing is written, and everything that was acknowledged is before one place."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from backup import ancestry, writes
from backup.exit_codes import Failed
from lab.waiting import wait_for
from tests.backup.local import Local, local


@pytest.fixture(scope="module")
def server() -> Iterator[Local]:
    with local() as server:
        server.psql("create table rows (n bigserial primary key)")
        yield server


@pytest.fixture(autouse=True)
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "writes-stopped"
    monkeypatch.setattr(writes, "MARK", path)
    return path


class Writers:
    """Sessions that write row after row, and go on when one is refused; which were acknowledged, and where each is in the log."""

    def __init__(self, server: Local, sessions: int = 4) -> None:
        self.server, self.acknowledged, self.refused = server, list[tuple[int, int]](), 0
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._write) for _ in range(sessions)]

    def _write(self) -> None:
        with closing(psycopg2.connect(self.server.url.replace("/signupflow", "/postgres"))) as connection:
            connection.autocommit = True
            while not self.ended.is_set():
                with connection.cursor() as cursor:
                    try:
                        cursor.execute("insert into rows default values returning n, pg_current_wal_insert_lsn()")
                        number, _ = cursor.fetchone()
                        cursor.execute("select pg_current_wal_flush_lsn()")
                        (place,) = cursor.fetchone()
                        self.acknowledged.append((number, ancestry.lsn(place)))
                    except psycopg2.errors.ReadOnlySqlTransaction:
                        self.refused += 1
                        time.sleep(0.001)

    def __enter__(self) -> Writers:
        for thread in self.threads:
            thread.start()
        wait_for(lambda: len(self.acknowledged) > 100, 30, "nothing is acknowledged")
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(30)


def resumed(server: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "Server", lambda *_: server)
    writes.resume(None, Path("/nowhere"), lambda _: None)  # type: ignore[arg-type]


@pytest.fixture
def rows(server: Local) -> Local:
    moved = Local(server.server, server.url.replace("/signupflow", "/postgres"))
    moved.psql("drop table if exists rows; create table rows (n bigserial primary key)")
    return moved


def test_c1_all_that_was_acknowledged_is_before_the_place_that_is_named(
    rows: Local, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Writers(rows) as writers:
        place = writes.stop(rows, lambda _: None)  # type: ignore[arg-type]
        assert mark.exists(), "whoever comes after a kill knows"
        last = rows.psql("select coalesce(max(n), 0) from rows")
        wait_for(lambda: writers.refused > 50, 30, "nothing is refused")
        assert rows.psql("select coalesce(max(n), 0) from rows") == last, "nothing was written after that"
        assert max(at for _, at in writers.acknowledged) <= ancestry.lsn(place)
        assert len({number for number, _ in writers.acknowledged}) == int(rows.psql("select count(*) from rows"))
        resumed(rows, monkeypatch)
        more = len(writers.acknowledged)
        wait_for(lambda: len(writers.acknowledged) > more, 30, "writes are not taken again")
    assert not mark.exists()
    assert "read_only" not in (rows.data / "postgresql.auto.conf").read_text()


def test_c1_a_transaction_that_had_begun_is_in_it_or_was_never_acknowledged(rows: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "GRACE_SECONDS", 0.5)
    with closing(psycopg2.connect(rows.url)) as slow, slow.cursor() as cursor:
        cursor.execute("insert into rows default values")
        writes.stop(rows, lambda _: None)  # type: ignore[arg-type]
        with pytest.raises(psycopg2.Error):
            cursor.execute("insert into rows default values")
    assert rows.psql("select count(*) from rows") == "0"
    resumed(rows, monkeypatch)


def test_c1_a_server_that_goes_on_taking_writes_is_never_said_to_have_stopped(
    rows: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "GRACE_SECONDS", 0.3)
    rows.psql("alter role postgres set default_transaction_read_only = off")
    try:
        with pytest.raises(Failed, match="goes on taking writes"):
            writes.stop(rows, lambda _: None)  # type: ignore[arg-type]
    finally:
        with suppress(Exception):
            rows.psql("alter role postgres reset default_transaction_read_only")
        resumed(rows, monkeypatch)


def test_c1_a_server_that_does_not_answer_is_stopped_before_its_disk_is_read() -> None:
    stopped: list[Any] = []

    class Engine:
        containers = property(lambda self: self)

        def get(self, _: str) -> Any:
            return self

        def stop(self, timeout: int) -> None:
            stopped.append(timeout)

    gone = Local(None, "postgresql://127.0.0.1:1/x", client=Engine())  # type: ignore[arg-type]
    assert writes.stop(gone, lambda _: None) == ""  # type: ignore[arg-type]
    assert stopped == [writes.STOP_SECONDS]
