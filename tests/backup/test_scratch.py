"""Which backup a restore begins with, where recovery stops, and restore points."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup import create, scratch
from backup.ancestry import Lineage, lsn
from backup.archive import Copy, segment_name
from backup.configuration import LOCAL, OBJECT_STORE
from backup.exit_codes import Failed, Restore
from backup.scratch import Target, choose
from backup.server import CommandError

NIGHT = datetime(2026, 11, 25, 2, 31, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LAST = Target()


def copy(label: str, repository: int, stopped: datetime, faulty: bool = False) -> Copy:
    return Copy(label, repository, stopped - MINUTE, stopped, 1000, 100, "", "", faulty=faulty)


def night(number: int, faulty: tuple[int, ...] = ()) -> tuple[Copy, Copy]:
    """What one night's run writes: first to the object storage, two minutes later to this host's disk."""
    at = NIGHT + number * DAY
    return (
        copy(f"S{number}", OBJECT_STORE, at, OBJECT_STORE in faulty),
        copy(f"L{number}", LOCAL, at + 2 * MINUTE, LOCAL in faulty),
    )


STORE = (*night(0), *night(1), *night(2))


def at(number: int, after: timedelta) -> Target:
    return Target(NIGHT + number * DAY + after)


def test_us6_2_the_last_change_is_restored_from_the_newest_backup_on_this_hosts_disk() -> None:
    assert choose(STORE, "", LAST).label == "L2"


def test_us6_2_a_moment_is_restored_from_the_newest_backup_that_had_ended_by_then() -> None:
    assert choose(STORE, "", at(1, DAY - MINUTE)).label == "L1"
    assert choose(STORE, "", at(1, 2 * MINUTE)).label == "L1"
    # The one on this host had not ended yet, and the night before is a day of WAL away.
    assert choose(STORE, "", at(1, MINUTE)).label == "S1"
    assert choose(STORE, "", at(0, MINUTE)).label == "S0"


def test_us6_2_the_named_backup_is_taken_and_no_other() -> None:
    for label in ("S0", "L0", "S2"):
        assert choose(STORE, label, LAST).label == label
    assert choose(STORE, "S0", at(2, MINUTE)).label == "S0"


def test_fr008_the_same_nights_backup_on_this_host_is_preferred_and_an_older_one_is_not() -> None:
    # This host's disk was full for a night: its newest is a day older.
    assert choose(STORE[:-1], "", LAST).label == "S2"
    # Nothing is in the object storage, or nothing here.
    assert choose(tuple(found for found in STORE if found.repository == LOCAL), "", LAST).label == "L2"
    assert choose(tuple(found for found in STORE if found.repository == OBJECT_STORE), "", LAST).label == "S2"


def test_fr008_a_backup_with_wrong_page_checksums_is_not_taken_while_there_is_another() -> None:
    both = (OBJECT_STORE, LOCAL)
    assert choose((*night(0), *night(1, faulty=both)), "", LAST).label == "L0"
    assert choose((*night(0), *night(1, faulty=(OBJECT_STORE,))), "", LAST).label == "L1"
    # The near one is faulty: near is no merit then.
    assert choose((*night(0), *night(1, faulty=(LOCAL,))), "", LAST).label == "S1"


def test_fr008_a_faulty_backup_is_better_than_none() -> None:
    assert choose(night(0, faulty=(OBJECT_STORE, LOCAL)), "", LAST).label in ("S0", "L0")
    assert choose(night(0, faulty=(OBJECT_STORE,)), "S0", LAST).label == "S0", "who names it, gets it"


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 5000), st.booleans()), min_size=1), st.integers(0, 5000))
def test_fr008_whatever_there_is_the_choice_had_ended_by_then_and_is_whole_if_one_is(
    made: list[tuple[int, int, bool]], moment: int
) -> None:
    copies = tuple(copy(str(index), where, NIGHT + MINUTE * when, bad) for index, (where, when, bad) in enumerate(sorted(made)))
    target = at(0, MINUTE * moment)
    assert target.moment is not None
    ended = [found for found in copies if found.stopped <= target.moment]
    if not ended:
        with pytest.raises(Failed):
            choose(copies, "", target)
        return
    chosen = choose(copies, "", target)
    assert chosen in ended
    assert not chosen.faulty or all(found.faulty for found in ended)
    newest = max(found.stopped for found in ended if found.faulty == chosen.faulty)
    assert newest - chosen.stopped < timedelta(hours=6)


def refused(copies: tuple[Copy, ...], label: str, target: Target) -> str:
    with pytest.raises(Failed) as caught:
        choose(copies, label, target)
    assert caught.value.code is Restore.NOT_FOUND
    return str(caught.value)


def test_fr008_a_backup_that_is_not_there_is_named_with_the_command_that_lists_them() -> None:
    assert refused(STORE, "20261127-015410F", LAST) == "there is no backup 20261127-015410F; `signupflow-backup list` shows them"


def test_fr008_before_the_oldest_backup_nothing_can_be_restored_and_its_time_is_said() -> None:
    said = refused(STORE, "", at(0, -MINUTE))
    assert said == "nothing to restore 2026-11-25 02:30:00 UTC from: the oldest backup ended 2026-11-25 02:31:00 UTC"
    assert refused((), "", LAST) == "nothing to restore the last change from: there is no backup"


def test_us6_2_a_restore_point_is_restored_from_the_newest_backup_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"before-1.4.0": [NIGHT + DAY + timedelta(hours=9)], "old": [NIGHT - DAY]}
    monkeypatch.setattr(scratch, "points", lambda: made)
    assert choose(STORE, "", Target(point="before-1.4.0")).label == "L1"
    assert "restore point old" in refused(STORE, "", Target(point="old"))
    # One that was made by hand is in no list: whether it is there, recovery will say.
    assert choose(STORE, "", Target(point="by-hand")).label == "L2"


def test_us6_2_of_two_restore_points_of_one_name_the_first_is_never_taken_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that was released, rolled back and released again made its point twice; recovery stops at the first."""
    morning = NIGHT + DAY + timedelta(hours=8)
    made = {"before-1.4.0": [morning, morning + timedelta(hours=6)]}
    monkeypatch.setattr(scratch, "points", lambda: made)
    said = refused(STORE, "", Target(point="before-1.4.0"))
    assert "there are 2 restore points before-1.4.0 after L1, made at 2026-11-26 10:31:00 UTC and 2026-11-26 16:31:00 UTC" in said
    # With a backup between them only one is met.
    noon = copy("noon", LOCAL, morning + timedelta(hours=2))
    assert choose((*STORE, noon), "", Target(point="before-1.4.0")).label == "noon"


def test_us6_2_recovery_stops_where_it_was_told_to() -> None:
    assert Target().options() == ["--type=default"]
    here = datetime(2026, 11, 27, 10, 15, 0, 250000, timezone(timedelta(hours=8)))
    assert Target(here).options() == ["--type=time", "--target=2026-11-27 02:15:00.250000+00", "--target-action=promote"]
    assert Target(point="before-1.4.0").options() == ["--type=name", "--target=before-1.4.0", "--target-action=promote"]


def test_us6_2_where_recovery_stops_is_said_in_words() -> None:
    assert str(Target()) == "the last change"
    assert str(at(0, MINUTE)) == "2026-11-25 02:32:00 UTC"
    assert str(Target(point="before-1.4.0")) == "restore point before-1.4.0"


def test_us6_2_restore_points_are_read_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    assert scratch.points(tmp_path) == {}
    path = tmp_path / "restore-points"
    path.write_text("1795744452 before-1.3.0\n1795744999 before-1.4.0\nrubbish\n1795745000 two words\n-1 x\n\n17957")
    assert scratch.points(tmp_path) == {
        "before-1.3.0": [datetime(2026, 11, 27, 1, 54, 12, tzinfo=UTC)],
        "before-1.4.0": [datetime(2026, 11, 27, 2, 3, 19, tzinfo=UTC)],
    }
    path.write_text("")
    assert scratch.points(tmp_path) == {}


REACHED = """\
2026-11-27 02:20:00.100 UTC [12] LOG:  restored log file "000000010000000000000005" from archive
2026-11-27 02:20:00.300 UTC [12] FATAL:  recovery ended before configured recovery target was reached
2026-11-27 02:20:00.301 UTC [11] LOG:  startup process (PID 12) exited with exit code 1
"""


def test_us6_2_a_restore_point_that_is_not_there_is_not_found_and_all_else_is_a_failed_restore() -> None:
    failed = scratch._replay_failed(REACHED, Target(point="before-1.4.0"))
    assert failed.code is Restore.NOT_FOUND
    assert "there is no restore point before-1.4.0 after that backup; name an older --backup" in str(failed)
    for log, why in (
        (REACHED.replace("recovery ended before", "no space;"), "no space; configured recovery target was reached"),
        ("pg_ctl: could not start server\n", "pg_ctl: could not start server"),
        ("", "its log is empty"),
    ):
        failed = scratch._replay_failed(log, LAST)
        assert failed.code is Restore.FAILED
        assert str(failed) == f"the restored database does not start: {why}"


class Instance:
    """A scratch instance that replays the segments it is given, each start in turn; `reached` says whether it met its target."""

    def __init__(self, *starts: tuple[list[str], bool]) -> None:
        self.starts, self.restored = list(starts), list[Target]()
        self.server, self.directory, self.halted = object(), Path("/nowhere"), False

    def restore(self, _: Copy, target: Target, __: object) -> None:
        self.restored.append(target)

    def start(self, _: object, halts: bool = False, **more: str) -> None:
        self.halted, self.more = halts, more
        self.got, reached = self.starts.pop(0)
        if not reached:
            raise CommandError(1, REACHED)

    def replayed(self) -> list[str]:
        return self.got

    def psql(self, _: str) -> str:
        return "2026-11-25T02:40:00Z"


def names(*numbers: int) -> list[str]:
    return [segment_name(1, number) for number in numbers]


def rebuilt(monkeypatch: pytest.MonkeyPatch, instance: Instance, target: Target, *archive: list[str]) -> None:
    """Each look into the archive finds the next of `archive`."""
    looks = iter(archive)
    monkeypatch.setattr(create, "archived", lambda *_: next(looks))
    scratch.rebuilt(cast(scratch.Scratch, instance), STORE[0], target, lambda _: None)


def test_fr008_a_replay_that_took_all_that_the_archive_held_is_the_last_change(monkeypatch: pytest.MonkeyPatch) -> None:
    rebuilt(monkeypatch, Instance((names(3, 4, 5), True)), LAST, [*names(3, 4, 5), "00000002.history"])
    # The live server archived more while it was replayed; and a moment was reached before the end.
    rebuilt(monkeypatch, Instance((names(3, 4, 5, 6), True)), LAST, names(3, 4, 5))
    rebuilt(monkeypatch, Instance((names(3), True)), at(0, MINUTE), names(3, 4, 5))


@pytest.mark.parametrize("target", [LAST, at(0, MINUTE), Target(point="before-1.4.0")])
def test_fr008_a_segment_that_could_not_be_read_never_passes_for_the_end_of_the_archive(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL takes a store that is away for the end of WAL, and would serve what was hours ago."""
    instance = Instance((names(3, 4), target == LAST))
    with pytest.raises(Failed, match="could not be read") as caught:
        rebuilt(monkeypatch, instance, target, names(3, 4, 6, 7))
    assert caught.value.code is Restore.NOT_VERIFIED
    for named in (*names(4, 7), "--point-in-time 2026-11-25T02:40:00Z"):
        assert named in str(caught.value)
    assert instance.restored == [target], "and it is not tried without a target"


def test_us6_2_a_moment_after_the_archives_end_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    held = names(3, 4)
    instance = Instance((held, False), (held, True))
    rebuilt(monkeypatch, instance, at(0, MINUTE), held, held)
    assert instance.restored == [at(0, MINUTE), LAST]
    # What came meanwhile may hold that moment, and more than was asked for.
    with pytest.raises(Failed, match="restore again"):
        rebuilt(monkeypatch, Instance((held, False)), at(0, MINUTE), held, names(3, 4, 5))
    # The second replay may end early as well.
    with pytest.raises(Failed, match="could not be read"):
        rebuilt(monkeypatch, Instance((held, False), (names(3), True)), at(0, MINUTE), held, held)


def test_c1_a_live_database_is_caught_up_with_to_a_place_behind_which_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """First to where it was, and stopped there; then to where nothing is written any more. The log ending before it is no end."""
    assert Target(at="0/7000318").options() == ["--type=lsn", "--target=0/7000318", "--target-action=shutdown"]
    assert str(Target(at="0/7000318")) == "the last change"
    instance = Instance((names(3, 4), True), (names(4, 5), True), (names(4), False))
    rebuilt(monkeypatch, instance, Target(at="0/4000028"), names(3, 4))
    assert instance.halted
    monkeypatch.setattr(create, "archived", lambda *_: names(3, 4, 5))

    def goes_on() -> None:
        scratch.goes_on(cast(scratch.Scratch, instance), STORE[0], "0/5000028", Path("/nowhere"), lambda _: None)

    goes_on()
    assert not instance.halted
    assert instance.more == {"recovery_target_lsn": "0/5000028", "recovery_target_action": "promote"}
    with pytest.raises(Failed, match="could not be read") as caught:
        goes_on()
    assert caught.value.code is Restore.NOT_VERIFIED


def behind(name: str, repository: int, stopped: datetime, timeline: int, place: str) -> Copy:
    return replace(copy(name, repository, stopped), wal_last=segment_name(timeline, 5), lsn_stop=place)


# A restore at noon of the second day went back to the first night; its own backup failed.
FORKED = Lineage(2, ((1, lsn("0/5000000")),))
ABANDONED = (
    behind("first", LOCAL, NIGHT, 1, "0/4000100"),
    behind("second", LOCAL, NIGHT + DAY, 1, "0/9000100"),
    behind("stored", OBJECT_STORE, NIGHT + DAY - MINUTE, 1, "0/9000000"),
)


def test_c4_only_a_backup_that_led_to_the_newest_timeline_is_taken() -> None:
    for target in (LAST, at(2, MINUTE), at(1, MINUTE)):
        assert choose(ABANDONED, "", target, FORKED).label == "first", target
    after = behind("after", LOCAL, NIGHT + 2 * DAY, 2, "0/6000000")
    assert choose((*ABANDONED, after), "", LAST, FORKED).label == "after"
    assert choose(ABANDONED, "", LAST, Lineage()).label == "second", "nobody went back behind anything"


def test_c4_the_backup_of_a_history_that_was_left_is_refused_by_name() -> None:
    with pytest.raises(Failed, match="a restore went back behind second, so that nothing follows it") as caught:
        choose(ABANDONED, "second", LAST, FORKED)
    assert caught.value.code is Restore.NOT_FOUND
    assert choose(ABANDONED, "first", LAST, FORKED).label == "first"


def test_c4_where_every_backup_is_of_a_history_that_was_left_that_is_said() -> None:
    with pytest.raises(Failed, match="nothing to restore the last change from"):
        choose(ABANDONED[1:], "", LAST, FORKED)
