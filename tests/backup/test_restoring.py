"""The way back: what an operator may ask for, what is said and asked first, and the codes of the contract."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from backup import configuration, create, dry_run, records, replaced, restore_command, restoring, scratch, swap, timelines
from backup.ancestry import Lineage
from backup.archive import Copy, Store
from backup.configuration import LOCAL, OBJECT_STORE
from backup.exit_codes import Backup, Failed, Restore
from backup.records import RESTORE, Record
from backup.replaced import Note
from backup.restoring import Wanted, moment
from backup.scratch import Target
from backup.server import GoneError

# Nothing of it is read where all that is asked answers for itself.
NO_CONFIGURATION: Any = None
ENDED = datetime(2026, 11, 25, 2, 31, tzinfo=UTC)
COPY = Copy("20261125-023000F", OBJECT_STORE, ENDED - timedelta(minutes=1), ENDED, 33392058, 3843760, "", "")
NEAR = Copy("20261125-023200F", LOCAL, ENDED, ENDED + timedelta(minutes=1), 33392058, 3843760, "", "")


def refused(work: Callable[[], Any], code: Restore) -> str:
    with pytest.raises(Failed) as caught:
        work()
    assert caught.value.code is code
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T02:15:00Z",
        "2026-11-20T02:15Z",
        "2026-11-20 02:15:00+00:00",
        "2026-11-20T10:15:00+08:00",
        "2026-11-19T21:15:00-05:00",
        "20261120T021500Z",
        "2026-11-20T02:15:00.000000Z",
    ],
)
def test_us6_2_a_moment_is_iso_8601_with_its_zone(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 20, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-20T02:15:00", "2026-11-20", "2026-11-20 02:15"])
def test_us6_2_a_moment_without_a_zone_would_be_a_guess(text: str) -> None:
    said = refused(lambda: moment(text), Restore.CONFIGURATION)
    assert text in said
    assert "has no zone: write 2026-11-27T02:15:00Z" in said


@pytest.mark.parametrize("text", ["yesterday", "", "02:15Z", "2026-13-20T02:15:00Z", "2026-11-31T02:15:00Z", "1795744452", "now"])
def test_us6_2_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    assert "is not ISO 8601, such as 2026-11-27T02:15:00Z" in refused(lambda: moment(text), Restore.CONFIGURATION)


def test_us6_2_the_future_is_refused_in_whatever_zone() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    for zone in (UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))):
        assert "is in the future" in refused(lambda: moment(soon.astimezone(zone).isoformat()), Restore.CONFIGURATION)  # noqa: B023
    past = datetime.now(UTC) - timedelta(minutes=5)
    assert moment(past.astimezone(timezone(timedelta(hours=14))).isoformat()) == past


@given(st.datetimes(datetime(2001, 1, 1), datetime(2026, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_us6_2_the_same_moment_is_meant_in_every_zone(when: datetime, minutes: int) -> None:
    here = when.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    assert Target(moment(here.isoformat())).options() == Target(when.replace(tzinfo=UTC)).options()


class Host:
    """This host as the command sees it: its profile, its backups, and what was done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.free, self.running, self.points = 10**11, True, ["before-1.4.0", "before-1.5.0"]
        self.away: set[int] = set()
        found = SimpleNamespace(profile=profile, environment="sample", database="rows", stanza="signupflow")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=self.free))
        monkeypatch.setattr(scratch, "points", lambda: {name: [ENDED + timedelta(hours=1)] for name in self.points})
        monkeypatch.setattr(dry_run, "Server", lambda: SimpleNamespace(name="postgres", running=self.running, psql=self.psql))
        monkeypatch.setattr(configuration, "read", lambda *_: found)
        monkeypatch.setattr(restoring, "Server", lambda: None)
        monkeypatch.setattr(create, "known", self.known)
        monkeypatch.setattr(timelines, "newest", lambda *_: Lineage())
        monkeypatch.setattr(restoring, "in_place", lambda _, wanted, copy, tell: self.done.append((wanted, copy)))
        monkeypatch.setattr(restoring, "one_table", self.one_table)

    def known(self, _: Any, repository: int = 0, any_will_do: bool = False) -> Store:
        """What pgBackRest says, where a repository may be away; asked for the other one it says nothing of that."""
        away = [number for number in sorted(self.away) if repository in (0, number)]
        copies = tuple(copy for copy in (COPY, NEAR) if repository in (0, copy.repository) and copy.repository not in away)
        store = Store(copies, tuple((number, "[049]: timeout connecting to 'store'") for number in away))
        if store.troubles and not (any_will_do and store.copies):
            raise create.trouble(*store.troubles[0])
        return store

    @staticmethod
    def psql(sql: str, _: str) -> str:
        """A database with two tables, and one schema beside `public`."""
        return str(int("'taken'" in sql)) if "pg_namespace where" in sql else "events\npeople"

    def one_table(self, _: Any, wanted: Wanted, copy: Copy, table: str, schema: str, tell: Any) -> Record:
        self.done.append((wanted, copy, table, schema))
        return Record(RESTORE, 1.0, 2.0, 0, f"rows of {table}")

    def restore(self, *arguments: str) -> Result:
        return CliRunner().invoke(restore_command.main, arguments)


@pytest.fixture
def staging(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch, "staging")


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch, "production")


def test_fr008_the_target_is_staging_unless_told_otherwise(production: Host) -> None:
    done = production.restore()
    assert done.exit_code == Restore.CONFIGURATION
    assert "this host serves production, and the target is staging: say --target production" in done.stderr
    assert production.done == []


def test_fr008_stagings_database_is_replaced_without_a_question(staging: Host) -> None:
    done = staging.restore()
    assert (done.exit_code, done.stderr) == (0, "")
    assert staging.done == [(Wanted(Target()), NEAR)]


def test_fr008_a_dry_run_says_everything_and_changes_nothing(production: Host) -> None:
    done = production.restore("--target", "production", "--dry-run", "--point-in-time", "2026-11-26T02:15:00Z")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "Nothing was changed."
    for said in ("restore 20261125-023200F (33 MB, ended 2026-11-25 02:32:00 UTC) from this host", "2026-11-26 02:15:00 UTC"):
        assert said in done.output
    assert production.restore("--target", "production", "--dry-run", "--table", "people").exit_code == 0
    assert production.done == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--restore-point", "before-1.4"), Restore.NOT_FOUND, "no restore point before-1.4 is noted on this host; there are"),
        (("--table", "peple"), Restore.NOT_FOUND, "there is no table peple now; did you mean people?"),
        (("--table", "people", "--into", "taken"), Restore.CONFIGURATION, "there is a schema taken already"),
        (("--table", "people", "--restore-point", "nowhere"), Restore.NOT_FOUND, "no restore point nowhere is noted"),
    ],
)  # fmt: skip
def test_a35_a_dry_run_finds_what_the_restore_would_be_refused_for(
    production: Host, words: tuple[str, ...], code: Restore, said: str
) -> None:
    done = production.restore("--target", "production", "--dry-run", *words)
    assert said in done.stderr
    assert done.exit_code == code
    assert "Nothing was changed" not in done.output, "that would be taken for a yes"


def test_a35_a_dry_run_looks_for_room_for_notes_and_for_the_live_database(production: Host) -> None:
    known = ("--target", "production", "--dry-run", "--restore-point", "before-1.5.0")
    assert production.restore(*known).exit_code == 0
    production.free = COPY.size
    assert "add disk, or discard what is kept" in production.restore(*known).stderr
    production.free, production.running = 10**11, False
    done = production.restore("--target", "production", "--dry-run", "--table", "people")
    assert (done.exit_code, "does not answer" in done.stderr) == (Restore.NO_DATABASE, True)
    production.points = []
    assert "is noted on this host; none is" in production.restore(*known).stderr


def test_fr008_productions_database_is_not_replaced_where_nobody_can_be_asked(production: Host) -> None:
    done = production.restore("--target", "production")
    assert done.exit_code == Restore.REFUSED
    assert "--force replaces production's database without asking" in done.stderr
    assert production.done == []
    assert production.restore("--target", "production", "--force").exit_code == 0
    assert len(production.done) == 1


@pytest.mark.parametrize(
    ("typed", "goes_on"), [("sample", True), (" sample ", True), ("", False), ("y", False), ("Sample", False)]
)
def test_fr008_production_goes_on_when_its_name_is_typed(monkeypatch: pytest.MonkeyPatch, typed: str, goes_on: bool) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(click, "prompt", lambda *_, **__: typed)
    configured: Any = SimpleNamespace(environment="sample")
    if goes_on:
        restore_command._asked(configured)
    else:
        assert "nothing was changed" in refused(lambda: restore_command._asked(configured), Restore.REFUSED)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--backup", "20261111-111111F"], Restore.NOT_FOUND, "there is no backup 20261111-111111F"),
        (["--point-in-time", "2026-11-24T00:00:00Z"], Restore.NOT_FOUND, "the oldest backup ended 2026-11-25 02:31:00 UTC"),
        (["--point-in-time", "noon"], Restore.CONFIGURATION, "is not ISO 8601"),
        (["--point-in-time", "2026-11-26T00:00:00Z", "--restore-point", "x"], Restore.CONFIGURATION, "exclude each other"),
        (["--restore-point", "x; rm"], Restore.CONFIGURATION, "is not the name of a restore point"),
        (["--table", "People"], Restore.CONFIGURATION, "'People' is not a plain name"),
        (["--table", "people", "--into", 'x"; drop'], Restore.CONFIGURATION, "is not a plain name"),
    ],
)
def test_fr008_what_cannot_be_done_is_refused_before_anything_is(
    staging: Host, arguments: list[str], code: Restore, said: str
) -> None:
    done = staging.restore(*arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert staging.done == []


def test_fr008_where_from_is_the_operators_choice(staging: Host) -> None:
    for source, copy in (("any", NEAR), ("object-storage", COPY), ("host", NEAR)):
        assert staging.restore("--from", source).exit_code == 0
        assert staging.done.pop()[1] is copy


def test_fr008_one_table_goes_beside_the_live_ones(staging: Host) -> None:
    done = staging.restore("--table", "people")
    assert done.exit_code == 0
    assert staging.done == [(Wanted(Target()), NEAR, "people", "repair")]
    assert "nothing else is touched" in done.output


def test_fr008_the_plan_says_what_is_replaced_and_where_it_stays(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "CLUSTER", tmp_path)
    configured: Any = SimpleNamespace(environment="sample")
    plan = restoring.plan(configured, Wanted(Target()), COPY)
    assert "there is no database on this host" in plan[-2]
    (tmp_path / "PG_VERSION").touch()
    plan = restoring.plan(configured, Wanted(Target()), COPY)
    assert "sample's database is away for seconds" in plan[-3]
    assert "let nothing be written from then on" in plan[-4], "of the last change; of a moment there is no need to"
    assert not [line for line in restoring.plan(configured, Wanted(Target(ENDED)), COPY) if "be written" in line]
    assert "keep the present cluster as /var/lib/signupflow/postgres/before-<time>" in plan[-2]
    assert plan[-1] == "make a full backup at once"


CODES = [
    (Backup.CONFIGURATION, Restore.CONFIGURATION),
    (Backup.UPLOAD_FAILED, Restore.NOT_FOUND),
    (Backup.DUMP_FAILED, Restore.NOT_FOUND),
]


@pytest.mark.parametrize(("code", "ends"), CODES)
@pytest.mark.parametrize("serving", [True, False])
def test_fr008_backups_that_cannot_be_listed_end_with_a_code_of_restores(
    monkeypatch: pytest.MonkeyPatch, code: Backup, ends: Restore, serving: bool
) -> None:
    # Where nothing serves, a scratch instance lists them; what it says means the same.
    asked = [GoneError("there is no container")] * (not serving) + [Failed(code, "why; what to do")]

    def known(*_: Any, **__: Any) -> Store:
        raise asked.pop(0)

    monkeypatch.setattr(restoring, "Server", lambda: None)
    monkeypatch.setattr(create, "known", known)
    monkeypatch.setattr(records, "alone", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(scratch, "scratch", lambda *_, **__: contextlib.nullcontext(SimpleNamespace(server=None)))
    said = refused(lambda: restoring.available(NO_CONFIGURATION, Wanted(Target())), ends)
    assert "why; what to do" in said


@pytest.mark.parametrize("target", [Target(), Target(moment=ENDED), Target(point="before-1.4.0")], ids=str)
def test_us6_2_what_the_live_server_has_not_archived_is_archived_first(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release's restore point is in the segment that is being written: unless it is archived, no restore finds it."""

    class ArchivedError(Exception):
        pass

    def archived(_: Any) -> None:
        raise ArchivedError

    (tmp_path / "PG_VERSION").touch()
    monkeypatch.setattr(swap, "CLUSTER", tmp_path)
    monkeypatch.setattr(swap, "replaceable", lambda _: None)
    monkeypatch.setattr(restoring, "engine", lambda: None)
    monkeypatch.setattr(restoring, "archived_so_far", archived)
    with pytest.raises(ArchivedError):
        restoring._in_place(cast("Any", None), Wanted(target), COPY, lambda _: None)


def test_fr008_a_restore_that_failed_is_kept_with_the_code_that_it_ended_with(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Record] = []
    monkeypatch.setattr(records, "write", kept.append)

    def gone() -> tuple[str, int]:
        raise GoneError("there is no container signupflow-postgres on this host")

    # 1 is "backup not found" in the contract of restores, and 3 what this is.
    refused(lambda: restoring._kept(gone), Restore.NO_DATABASE)
    assert [record.exit_code for record in kept] == [0, Restore.NO_DATABASE]
    assert not any(record.good for record in kept)


def test_fr008_a_restore_that_went_well_is_kept_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Record] = []
    monkeypatch.setattr(records, "write", kept.append)
    record = restoring._kept(lambda: ("restored", 9))
    assert (record.kind, record.message, record.size, record.good) == (RESTORE, "restored", 9, True)
    assert [found.good for found in kept] == [False, True]


def test_fr008_a_backup_that_fails_after_a_restore_ends_with_a_code_of_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    # 3 would say that the database cannot be reached, although it was restored and serves.
    def backup(*_: Any) -> Record:
        raise Failed(Backup.UPLOAD_FAILED, "the store cannot be reached")

    monkeypatch.setattr(records, "alone", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(restoring, "engine", lambda: None)
    monkeypatch.setattr(swap, "finished", lambda *_: None)
    monkeypatch.setattr(restoring, "_kept", lambda _: Record(RESTORE, 1.0, 2.0, 0, "restored"))
    monkeypatch.setattr(restoring, "Server", lambda: SimpleNamespace(running=True))
    monkeypatch.setattr(create, "make", backup)
    said: list[str] = []
    with pytest.raises(Failed, match="the store cannot be reached") as caught:
        restoring.in_place(NO_CONFIGURATION, Wanted(Target()), COPY, said.append)
    assert said == ["restored"]
    assert isinstance(caught.value.code, Restore)


def test_fr008_the_history_of_the_new_timeline_is_marked_for_the_archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Without it the next restore takes the same timeline again, and its WAL is refused.
    status = tmp_path / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    for name in ("00000002.history", "00000003.history", "000000030000000000000009"):
        (tmp_path / "pg_wal" / name).touch()
    (status / "00000002.history.done").touch()
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    restoring.announce_timeline(tmp_path)
    assert sorted(path.name for path in status.iterdir()) == ["00000002.history.done", "00000003.history.ready"]


HOUR = timedelta(hours=1)
KEPT = "/data/before-20261125T053100Z"
NOTE = Note("before-20261125T053100Z", (ENDED + HOUR).timestamp(), (ENDED + 3 * HOUR).timestamp(), 1, "0/7000318", KEPT)


@pytest.fixture
def restored_once(staging: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose notes lie in a directory of the test's own."""
    monkeypatch.setattr(replaced, "FILE", tmp_path / "replaced.json")
    monkeypatch.setattr(replaced, "OLD_FILE", tmp_path / "replaced")
    return staging


def refused_in_between(host: Host) -> None:
    for good in (ENDED + timedelta(minutes=1), ENDED + HOUR, ENDED + 3 * HOUR, ENDED + 4 * HOUR):
        assert host.restore("--point-in-time", good.isoformat()).exit_code == 0
    done = host.restore("--point-in-time", (ENDED + 2 * HOUR).isoformat())
    assert done.exit_code == Restore.NOT_FOUND
    assert "is between 2026-11-25 03:31:00 UTC and 2026-11-25 05:31:00 UTC" in done.stderr
    assert f"what was in between is in {KEPT} alone" in done.stderr


def test_us6_2_a_moment_that_a_restore_went_back_behind_is_refused(restored_once: Host) -> None:
    """Recovery follows the newest timeline: it would stop at the fork and call that the moment."""
    replaced.keep(NOTE)
    refused_in_between(restored_once)
    replaced.void(NOTE.name)
    assert restored_once.restore("--point-in-time", (ENDED + 2 * HOUR).isoformat()).exit_code == 0, "it came to nothing"


def test_c2_a_host_that_lost_its_notes_finds_them_beside_the_backups(
    restored_once: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = (f"{replaced.ANNOTATION}{NOTE.name}", NOTE.encoded())
    monkeypatch.setitem(globals(), "COPY", dataclasses.replace(COPY, annotations=(note, ("replaced-x", "rubbish"))))
    refused_in_between(restored_once)


def test_c2_notes_of_hosts_that_restored_before_are_still_read(restored_once: Host) -> None:
    since, until = (ENDED + HOUR).timestamp(), (ENDED + 3 * HOUR).timestamp()
    replaced.OLD_FILE.write_text(f"{since:.3f} {until:.3f} /var/lib/signupflow/postgres/before-20261125T053100Z\n17640")
    done = restored_once.restore("--point-in-time", (ENDED + 2 * HOUR).isoformat())
    assert done.exit_code == Restore.NOT_FOUND
    assert "in /var/lib/signupflow/postgres/before-20261125T053100Z alone" in done.stderr


def test_c2_each_repository_gets_the_note_beside_the_backup_that_leads_to_what_was_replaced(restored_once: Host) -> None:
    late = dataclasses.replace(NEAR, label="late", stopped=ENDED + 2 * HOUR)
    replaced.keep(NOTE)
    key = f"replaced-{NOTE.name}"
    steps = replaced.missing((COPY, NEAR, late))
    assert [(step.repository, step.label, step.name) for step in steps] == [(1, COPY.label, key), (2, NEAR.label, key)]
    noted = [dataclasses.replace(copy, annotations=((key, NOTE.encoded()),)) for copy in (COPY, NEAR)]
    assert replaced.missing(noted) == [], "a second time there is nothing to do"
    assert replaced.decoded(NOTE.name, steps[0].text) == NOTE
    replaced.void(NOTE.name)
    assert [(step.label, step.text) for step in replaced.missing(noted)] == [(COPY.label, ""), (NEAR.label, "")]
    assert replaced.missing((COPY, NEAR)) == []


def test_c3_the_backup_on_this_host_is_restored_while_the_store_is_away(staging: Host) -> None:
    staging.away = {OBJECT_STORE}
    for source in ("host", "any"):
        done = staging.restore("--from", source)
        assert (done.exit_code, done.stderr) == (0, ""), source
        assert staging.done.pop()[1] is NEAR
        assert ("left out of account: object storage: [049]: timeout connecting" in done.output) == (source == "any")
    done = staging.restore("--from", "object-storage")
    assert (done.exit_code, staging.done) == (Restore.NOT_FOUND, [])
    assert "the backups cannot be listed: object storage: [049]" in done.stderr


def test_c3_what_is_wrong_with_this_hosts_disk_hides_nothing_of_the_store(staging: Host) -> None:
    staging.away = {LOCAL}
    assert staging.restore().exit_code == 0
    assert staging.done.pop()[1] is COPY
    staging.away = {LOCAL, OBJECT_STORE}
    assert staging.restore().exit_code == Restore.NOT_FOUND
