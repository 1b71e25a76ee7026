"""Weekly and monthly dumps: when one is due, when one may go, and that only its recipients open it."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup import dumps, records
from backup.exit_codes import Backup, Failed
from backup.records import Record
from backup.server import GoneError, Server
from signupflow.shared.dump_objects import ENDING, EVERY, PROOF, STAMP, Dump, parsed

NOW = datetime(2026, 11, 27, 2, 31, tzinfo=UTC)
DAY = timedelta(days=1)
# SPEC.md, Retention.
KEPT = {"weekly": 90, "monthly": 365}


def dump(kind: str, made: datetime, proven: bool = True) -> Dump:
    return Dump(kind, f"dumps/sample/{kind}/{made:{STAMP}}{ENDING}", made, 1000, proven)


@pytest.mark.parametrize(("kind", "days"), [("weekly", 7), ("monthly", 30)])
def test_fr007_a_dump_is_due_a_week_or_a_month_after_the_last_proven_one(kind: str, days: int) -> None:
    assert dumps.due([], kind, NOW)
    assert not dumps.due([dump(kind, NOW - days * DAY + DAY)], kind, NOW)
    # The daily run is not to the minute.
    assert dumps.due([dump(kind, NOW - days * DAY + timedelta(minutes=50))], kind, NOW)
    assert dumps.due([dump(kind, NOW - 99 * DAY), dump(kind, NOW - DAY, proven=False)], kind, NOW)
    other = {"weekly": "monthly", "monthly": "weekly"}[kind]
    assert dumps.due([dump(other, NOW)], kind, NOW)


@pytest.mark.parametrize("kind", KEPT)
def test_us6_3_a_dump_goes_when_it_is_older_than_its_kind_stays(kind: str) -> None:
    old, limit, new = (dump(kind, NOW - age) for age in (KEPT[kind] * DAY + timedelta(seconds=1), KEPT[kind] * DAY, DAY))
    assert dumps.expired([old, limit, new], kind, NOW) == [old]
    assert dumps.expired([old, limit, new], {"weekly": "monthly", "monthly": "weekly"}[kind], NOW) == []


@pytest.mark.parametrize("kind", KEPT)
def test_us6_3_the_newest_proven_dump_never_goes_however_old(kind: str) -> None:
    ancient = dump(kind, NOW - 2000 * DAY)
    unproven = dump(kind, NOW - 1000 * DAY, proven=False)
    assert dumps.expired([ancient], kind, NOW) == []
    # One that was never proven takes nobody's place.
    assert dumps.expired([ancient, unproven], kind, NOW) == []
    assert dumps.expired([ancient, unproven, dump(kind, NOW)], kind, NOW) == [ancient, unproven]
    assert dumps.expired([unproven], kind, NOW) == []


def run(held: list[Dump], now: datetime, fails: frozenset[str] = frozenset()) -> tuple[list[Dump], list[Dump]]:
    """One daily run as `_made` does it: the dumps that are held afterwards, and those that went."""
    kinds = [kind for kind in EVERY if dumps.due(held, kind, now)]
    if set(kinds) & fails:
        # What fails is not proven, and nothing is expired in that run.
        return [*held, *(dump(kind, now, proven=False) for kind in set(kinds) & fails)], []
    held = [*held, *(dump(kind, now) for kind in kinds)]
    gone = [found for kind in kinds for found in dumps.expired(held, kind, now)]
    return [found for found in held if found not in gone], gone


def test_us6_3_four_hundred_daily_runs_keep_what_the_contract_says() -> None:
    spread = Random(1)
    held: list[Dump] = []
    made: dict[str, list[datetime]] = {"weekly": [], "monthly": []}
    for day in range(400):
        # The timer's spread of up to half an hour.
        now = NOW + day * DAY + timedelta(seconds=spread.randrange(1800))
        before = held
        held, _ = run(held, now)
        for kind, dates in made.items():
            dates += [found.made for found in held if found.kind == kind and found not in before]
            expected = [date for date in dates if now - date <= KEPT[kind] * DAY]
            kept = [found.made for found in held if found.kind == kind]
            # All that the contract promises, and what is beyond it goes when the next of its kind is made.
            assert [date for date in kept if now - date <= KEPT[kind] * DAY] == expected
            assert all(now - date <= (KEPT[kind] + EVERY[kind]) * DAY for date in kept)
            if now.date() == dates[-1].date():
                assert kept == expected, "right after one was made, exactly that"
    assert len(made["weekly"]) == 58, "every seventh day, day 0 and day 399 among them"
    assert len(made["monthly"]) == 14
    # 90 days hold 13 weeks, and 365 days 13 times 30 days.
    assert sum(found.kind == "weekly" for found in held) == 13
    assert sum(found.kind == "monthly" for found in held) == 13


@given(st.lists(st.sampled_from(["well", "well", "weekly", "monthly", "both", "off"]), min_size=1, max_size=400))
def test_us6_3_nothing_goes_before_something_newer_is_proven(days: list[str]) -> None:
    held: list[Dump] = []
    for day, how in enumerate(days):
        if how == "off":
            continue
        now = NOW + day * 5 * DAY
        proven = {kind: max((d.made for d in held if d.kind == kind and d.proven), default=None) for kind in KEPT}
        fails = frozenset(KEPT) if how == "both" else frozenset({how}) & frozenset(KEPT)
        held, gone = run(held, now, fails)
        for lost in gone:
            assert any(d.kind == lost.kind and d.proven and d.made > lost.made for d in held)
            assert now - lost.made > KEPT[lost.kind] * DAY
        for kind, newest in proven.items():
            newer = any(d.kind == kind and d.proven and newest and d.made > newest for d in held)
            assert newest is None or newer or any(d.kind == kind and d.made == newest for d in held)


def test_fr007_dumps_are_read_from_the_names_of_objects() -> None:
    weekly = "dumps/sample/weekly/20261127T023100Z.dump.age"
    monthly = "dumps/sample/monthly/20261101T023100Z.dump.age"
    found = parsed({weekly: 1000, weekly + PROOF: 71, monthly: 2000})
    assert found == [
        Dump("weekly", weekly, datetime(2026, 11, 27, 2, 31, tzinfo=UTC), 1000, True),
        Dump("monthly", monthly, datetime(2026, 11, 1, 2, 31, tzinfo=UTC), 2000, False),
    ]


@pytest.mark.parametrize(
    "key",
    [
        "dumps/sample/daily/20261127T023100Z.dump.age",
        "dumps/sample/weekly/20261127T023100Z.dump",
        "dumps/sample/weekly/20261127T023100Z.dump.age.sha256",
        "dumps/sample/weekly/yesterday.dump.age",
        "dumps/sample/weekly/20261327T023100Z.dump.age",
        "dumps/sample/weekly/",
        "20261127T023100Z.dump.age",
        "",
    ],
)
def test_us6_3_what_is_no_dump_is_left_alone(key: str) -> None:
    # What is not parsed is never expired.
    assert parsed({key: 1}) == []


class Command:
    """A command in the container, as `Server.start` gives it: pieces of its output, then its code."""

    def __init__(self, pieces: list[tuple[int, bytes]], code: int) -> None:
        self._pieces, self._ends, self.code = pieces, code, -1

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        yield from self._pieces
        self.code = self._ends


class Container:
    """Stands for the live container: what it writes, its code, or why it cannot be asked."""

    def __init__(self, pieces: list[tuple[int, bytes]], code: int = 0, gone: Exception | None = None) -> None:
        self.command, self.gone = Command(pieces, code), gone

    def start(self, argv: tuple[str, ...]) -> Command:
        if self.gone:
            raise self.gone
        assert "pg_dump" in argv
        return self.command


# The one who keeps it offline, and a second for the day when the first is away.
ADA, BOB, EVE = (pyrage.x25519.Identity.generate() for _ in range(3))
CONFIGURATION: Any = SimpleNamespace(database="signupflow", recipients=(str(ADA.to_public()), str(BOB.to_public())))


def read(container: Container, size: int = 10_000) -> tuple[bytes, str]:
    """All of a sealed dump, as boto3 reads it, and its digest."""
    sealed = dumps.Sealed(cast("Server", container), CONFIGURATION)
    try:
        blocks = list(iter(lambda: sealed.read(size), b""))
        return b"".join(blocks), sealed.digest
    finally:
        sealed.close()


def test_sec003_a_dump_is_opened_by_its_recipients_and_nobody_else() -> None:
    # More than a pipe holds, in pieces of no particular size, with what pg_dump says in between.
    plain = os.urandom(300_000)
    pieces = [(1, plain[:1]), (2, b"pg_dump: hello\n"), (1, plain[1:70_000]), (1, b""), (1, plain[70_000:])]
    sealed, digest = read(Container(pieces))
    assert plain[:64] not in sealed
    assert digest == sha256(sealed).hexdigest()
    for identity in (ADA, BOB):
        assert pyrage.decrypt(sealed, [identity]) == plain
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [EVE])


def test_us6_4_a_dump_that_ended_early_is_never_taken_for_a_whole_one() -> None:
    with pytest.raises(Failed, match="pg_dump ended with 1: pg_dump: error: query failed") as caught:
        read(Container([(1, b"PGDMP"), (2, b"pg_dump: error: query failed\n")], code=1))
    assert caught.value.code is Backup.DUMP_FAILED


def test_us6_4_a_reader_that_gives_up_ends_the_dump() -> None:
    sealed = dumps.Sealed(cast("Server", Container([(1, os.urandom(1 << 20))] * 4)), CONFIGURATION)
    sealed.read(100)
    sealed.close()
    sealed.close()
    assert not sealed._thread.is_alive()


@pytest.mark.timeout(10)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the assertion says it better
def test_us6_4_a_container_that_went_away_ends_the_dump_instead_of_hanging() -> None:
    container = Container([], gone=GoneError("there is no container signupflow-postgres"))
    sealed = dumps.Sealed(cast("Server", container), CONFIGURATION)
    try:
        with pytest.raises((Failed, GoneError), match="no container signupflow-postgres"):
            sealed.read(100)
    finally:
        # So that the thread ends, also where the reading end would wait for ever.
        sealed._in.close()
        sealed.close()


def test_us6_4_a_bucket_that_cannot_be_listed_is_a_dump_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    # The backup before it was good: without a record nobody would hear of it.
    kept: list[records.Record] = []

    def stored(*_: Any) -> list[Dump]:
        raise Failed(Backup.UPLOAD_FAILED, "the store cannot be reached")

    monkeypatch.setattr(records, "alone", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(records, "write", kept.append)
    monkeypatch.setattr(dumps, "stored", stored)
    configuration: Any = SimpleNamespace(store="a store", recipients=["age1"])
    with pytest.raises(Failed, match="the store cannot be reached"):
        dumps.make(configuration, print)
    assert [(record.kind, record.exit_code, bool(record.ended)) for record in kept] == [("dumps", Backup.UPLOAD_FAILED, True)]


@pytest.mark.parametrize("makes_dumps", [True, False])
def test_c8_a_failure_of_the_dumps_is_over_with_the_next_good_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, makes_dumps: bool
) -> None:
    """The store was away for one look; the next dump is due in a week, and until then nothing would be told of."""
    monkeypatch.setattr(records, "looked", functools.partial(records.looked, state=tmp_path))
    monkeypatch.setattr(records, "alone", lambda *_, **__: contextlib.nullcontext())
    now = datetime.now(UTC)
    monkeypatch.setattr(dumps, "stored", lambda *_: [dump(kind, now - DAY) for kind in EVERY])
    records.write(Record(records.DUMPS, 1.0, 2.0, 0, "dumps sealed", 9), tmp_path)
    records.write(Record(records.DUMPS, 3.0, 4.0, 3, "the store cannot be reached"), tmp_path)
    assert dumps.make(cast(Any, SimpleNamespace(store="a store", recipients=["age1"] if makes_dumps else [])), print) is None
    last, good = records.read(records.DUMPS, state=tmp_path), records.read(records.DUMPS, True, tmp_path)
    assert last
    assert last.good
    assert good
    assert good.ended == 2.0, "a look is no dump"
