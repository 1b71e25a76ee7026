"""What a restore left out is counted in the log of the cluster that it replaced, and named with its times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from backup import left_out
from backup.left_out import LeftOut
from tests.backup.local import Local, local

SINCE, KEPT = 1795744800.0, "/data/before-20261127T020000Z"


@pytest.fixture(scope="module")
def server() -> Iterator[Local]:
    with local("wal_keep_size=1GB", "autovacuum=off") as server:
        server.psql("create table kept (n int); create table dropped (n int)")
        yield server


def counted(server: Local, at: str) -> LeftOut:
    wal = server.data / "pg_wal"
    return left_out.found(server, str(wal), [path.name for path in wal.iterdir()], 1, at)  # type: ignore[arg-type]


def test_c1_transactions_that_changed_rows_are_counted_with_their_times(server: Local) -> None:
    at = server.psql("select pg_current_wal_insert_lsn()")
    before = datetime.now(UTC)
    for number in range(7):
        server.psql(f"insert into kept values ({number})")
    server.psql("delete from kept where n = 3")
    server.psql("drop table dropped")
    # Neither is anybody's row: statistics, a transaction that was taken back, a message, and reading.
    server.psql("analyze kept")
    server.psql("begin; insert into kept values (9); rollback")
    server.psql("select pg_logical_emit_message(true, 'signupflow', 'switch')")
    server.psql("select count(*) from kept")
    server.psql("select pg_switch_wal()")
    found = counted(server, at)
    assert found.count == 9
    assert found.first
    assert found.last
    assert before - timedelta(seconds=1) < found.first < found.last < datetime.now(UTC)
    said = found.said(SINCE, KEPT)
    assert said.startswith("left out are 9 transactions, from 20")
    assert said.endswith(f"they are in {KEPT} alone")


def test_c1_where_nothing_was_written_nothing_is_said_to_be_left_out(server: Local) -> None:
    at = server.psql("select pg_current_wal_insert_lsn()")
    server.psql("checkpoint")
    server.psql("select pg_switch_wal()")
    assert counted(server, at) == LeftOut(0)
    assert LeftOut(0).said(SINCE, KEPT) == f"nothing is left out; the previous cluster is kept as {KEPT}"


def test_c1_what_cannot_be_counted_is_named_by_the_moment_it_begins_with(server: Local) -> None:
    assert counted(server, "7F/28") == LeftOut(None), "a log that does not begin so early"
    said = LeftOut(None).said(SINCE, KEPT)
    assert said == f"left out is what was committed after 2026-11-27 02:00:00 UTC: it is in {KEPT} alone"
    assert left_out.parse("noise") == LeftOut(None)


def test_c1_segments_that_went_with_the_last_checkpoint_are_read_from_the_archive() -> None:
    held = ["000000010000000000000008", "000000010000000000000009", "000000020000000000000001", "archive_status"]
    assert left_out.missing(held, 1, "0/6004920") == ["000000010000000000000006", "000000010000000000000007"]
    assert left_out.missing(held, 1, "0/8004920") == []
    assert left_out.missing(held, 1, "0/A000000") is None, "it ends before"
    assert left_out.missing(["0000000100000001000000FF"], 1, "0/6004920") is None, "too much to fetch for a number"
    assert left_out.missing(held, 0, "") is None
