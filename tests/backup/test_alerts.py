"""Which alerts hold, and that each is told once when it begins and once when it is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup import alerts, monitor, notify
from backup.alerts import Alert, Observation
from backup.records import BACKUP, DRILL, DUMPS, Record

NOW = 1795744800.0
HOUR, DAY = 3600.0, 86400.0


def good(kind: str, age: float) -> Record:
    return Record(kind, NOW - age - 60, NOW - age, 0, "it went well", 1)


GOOD = {BACKUP: good(BACKUP, HOUR), DRILL: good(DRILL, DAY), DUMPS: good(DUMPS, DAY)}
WELL = Observation(
    NOW, NOW - 400 * DAY, GOOD, GOOD, waiting_since=NOW - 30, wal_bytes=1 << 28, wal_limit=1 << 28, disk_percent=40
)


def failed(kind: str, **changes: Any) -> Observation:
    return replace(WELL, last={**GOOD, kind: Record(kind, NOW - 600, NOW - 300, 3, "the store cannot be reached", **changes)})


# One observation for each key, which nothing else is wrong with.
WRONG = {
    "backup-failed": failed(BACKUP),
    "dumps-failed": failed(DUMPS),
    "drill-failed": failed(DRILL),
    "backup-old": replace(WELL, good={**GOOD, BACKUP: good(BACKUP, 25 * HOUR + 1)}),
    "drill-overdue": replace(WELL, good={**GOOD, DRILL: good(DRILL, 35 * DAY + 1)}),
    "database-silent": replace(WELL, silent="container signupflow-postgres does not run: nothing is archived"),
    "archive-failing": replace(WELL, failed_at=NOW - 120, failed_segment="000000010000000000000005"),
    "archive-lagging": replace(WELL, waiting_since=NOW - 301),
    "wal-piling-up": replace(WELL, wal_bytes=(1 << 29) + 1),
    "disk-full": replace(WELL, disk_percent=90),
}


def keys(seen: Observation) -> list[str]:
    return [alert.key for alert in alerts.due(seen)]


def test_us6_4_nothing_is_told_while_all_is_well() -> None:
    assert alerts.due(WELL) == []
    nothing_seen = replace(WELL, waiting_since=None, wal_bytes=None, wal_limit=None, disk_percent=None)
    assert alerts.due(nothing_seen) == []


@pytest.mark.parametrize("key", WRONG)
def test_us6_4_each_alert_begins_once_holds_in_silence_and_ends_once(key: str) -> None:
    (alert,) = alerts.due(WRONG[key])
    assert alert.key == key
    assert alert.text
    assert "\n" not in alert.text
    active: dict[str, str] = {}
    heard = []
    for seen in (WELL, WRONG[key], WRONG[key], replace(WRONG[key], now=NOW + 60), WELL, WELL):
        begun, over = alerts.told(active, alerts.due(seen))
        active = {name: text for name, text in active.items() if name not in over} | {new.key: new.text for new in begun}
        heard.append(([new.key for new in begun], over))
    assert heard == [([], []), ([key], []), ([], []), ([], []), ([], [key]), ([], [])]


# A row for each alert: at the limit nothing is said yet.
@pytest.mark.parametrize(
    "seen",
    [
        replace(WELL, good={**GOOD, BACKUP: good(BACKUP, 25 * HOUR)}),
        replace(WELL, good={**GOOD, DRILL: good(DRILL, 35 * DAY)}),
        replace(WELL, waiting_since=NOW - 300),
        replace(WELL, wal_bytes=1 << 29),
        replace(WELL, disk_percent=89.9),
    ],
)
def test_us6_4_at_its_limit_an_alert_does_not_hold_yet(seen: Observation) -> None:
    assert alerts.due(seen) == []


def test_us6_4_a_failed_backup_is_told_with_its_reason_and_time() -> None:
    (alert,) = alerts.due(failed(BACKUP))
    assert alert.text == "the backup of 2026-11-27 01:50:00 UTC failed: the store cannot be reached"


def test_us6_4_an_alert_whose_text_changes_is_not_told_again() -> None:
    active = {"backup-old": "no good backup for 26 h"}
    assert alerts.told(active, [Alert("backup-old", "no good backup for 27 h")]) == ([], [])


def test_us6_4_a_killed_attempt_is_told_and_a_running_one_is_not() -> None:
    cut_off = replace(WELL, last={**GOOD, BACKUP: Record(BACKUP, NOW - 600)})
    (alert,) = alerts.due(cut_off)
    assert (alert.key, alert.text.endswith("it was killed before it ended")) == ("backup-failed", True)
    assert alerts.due(replace(cut_off, running=frozenset({BACKUP}))) == []
    assert keys(replace(cut_off, running=frozenset({DRILL}))) == ["backup-failed"], "another's lock says nothing of this one"


def test_sc005_no_good_backup_for_25_hours_is_an_alert_whatever_was_tried() -> None:
    old = {**GOOD, BACKUP: good(BACKUP, 26 * HOUR)}
    tried = replace(failed(BACKUP), good=old)
    assert keys(tried) == ["backup-failed", "backup-old"]
    # Also while another is at work, and also when the last good one is all that is known.
    assert keys(replace(tried, running=frozenset({BACKUP}))) == ["backup-old"]
    assert keys(replace(WELL, last={}, good=old)) == ["backup-old"]


def test_sc005_without_any_backup_the_clock_starts_when_the_host_was_first_watched() -> None:
    new = Observation(NOW, NOW - 24 * HOUR, {}, {})
    assert alerts.due(new) == []
    late = replace(new, since=NOW - 26 * HOUR)
    assert [alert.text for alert in alerts.due(late)] == ["no good backup for 26 h"]
    assert keys(replace(new, since=NOW - 36 * DAY)) == ["backup-old", "drill-overdue"]
    assert keys(replace(new, since=NOW - 36 * DAY, drills=False)) == ["backup-old"]


def test_sc005_every_message_ends_with_the_age_of_the_last_good_backup() -> None:
    assert alerts.last_good(WELL) == "The last good backup is 60 min old (2026-11-27 01:00:00 UTC)."
    assert alerts.last_good(replace(WELL, good={})) == "There is no good backup yet."


def test_c8_another_fault_of_the_same_kind_ends_the_one_before_and_is_told(watch: Watch) -> None:
    """A backup that fails each night for another reason: each is news, and what it was is over."""
    why = ["the store cannot be reached", "not enough disk", "PostgreSQL does not answer"]
    heard = []
    for night, reason in enumerate(why):
        seen = replace(WELL, last={**GOOD, BACKUP: Record(BACKUP, NOW + night * DAY, NOW + night * DAY + 60, 3, reason)})
        heard += [(subject.rpartition("sample: ")[2], text.splitlines()[0].rpartition(": ")[2]) for subject, text in watch(seen)]
        assert watch(seen) == [], "once"
    heard += [(subject.rpartition("sample: ")[2], text.splitlines()[0].rpartition(": ")[2]) for subject, text in watch(WELL)]
    began, over = "ALERT backup-failed", "over: backup-failed"
    assert heard == [pair for reason in why for pair in ((began, reason), (over, reason))]


def test_c8_the_same_fault_again_is_told_once(watch: Watch) -> None:
    for night in range(3):
        last = Record(BACKUP, NOW + night * DAY, NOW + night * DAY + 60, 3, f"{night} MB free: no room")
        assert len(watch(replace(WELL, last={**GOOD, BACKUP: last}))) == (night == 0)


def test_c8_another_fault_that_no_channel_took_is_told_next_time(watch: Watch) -> None:
    watch(failed(BACKUP))
    other = replace(WELL, last={**GOOD, BACKUP: Record(BACKUP, NOW, NOW + 60, 3, "no room")})
    with pytest.raises(notify.UntoldError):
        watch(other, ("the webhook answered 500",))
    assert [subject for subject, _ in watch(other)] == ["sample: over: backup-failed", "sample: ALERT backup-failed"]


@given(st.lists(st.sets(st.sampled_from(sorted(WRONG))), max_size=12))
def test_us6_4_over_any_history_each_beginning_is_followed_by_one_end(history: list[set[str]]) -> None:
    active: dict[str, str] = {}
    open_now: set[str] = set()
    for held in [*history, set()]:
        begun, over = alerts.told(active, [Alert(key, "why") for key in held])
        assert {alert.key for alert in begun} == held - open_now
        assert set(over) == open_now - held
        open_now = held
        active = dict.fromkeys(held, "why")


# All that the watch reads of it.
CONFIGURATION: Any = SimpleNamespace(environment="sample")


class Watch(Protocol):
    def __call__(self, seen: Observation, problems: tuple[str, ...] = ()) -> list[tuple[str, str]]: ...


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watch:
    """The watch itself, with what it sees and a channel that can be out of order; what was sent, by turns."""
    sent: list[tuple[str, str]] = []

    def look(seen: Observation, problems: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        def send(_: object, subject: str, text: str) -> list[str]:
            sent.append((subject, text))
            return list(problems)

        monkeypatch.setattr(monitor, "STATE", tmp_path)
        monkeypatch.setattr(monitor, "observe", lambda: seen)
        monkeypatch.setattr(notify, "send", send)
        sent.clear()
        monitor.watch(CONFIGURATION, lambda _: None)
        return list(sent)

    return look


def test_us6_4_a_failed_backup_is_told_once_and_its_end_once(watch: Watch) -> None:
    (begun,) = watch(failed(BACKUP))
    assert begun[0] == "sample: ALERT backup-failed"
    assert begun[1].splitlines()[-1].startswith("The last good backup is 60 min old")
    assert watch(failed(BACKUP)) == []
    (over,) = watch(WELL)
    assert over[0] == "sample: over: backup-failed"
    assert "the store cannot be reached" in over[1], "it says again what it was"
    assert over[1].splitlines()[-1].startswith("The last good backup is 60 min old")
    assert watch(WELL) == []


def test_us6_4_what_no_channel_took_is_told_again_next_time(watch: Watch) -> None:
    for _ in range(2):
        with pytest.raises(notify.UntoldError, match="the webhook answered 500"):
            watch(failed(BACKUP), ("the webhook answered 500",))
    assert len(watch(failed(BACKUP))) == 1
    with pytest.raises(notify.UntoldError):
        watch(WELL, ("the webhook answered 500",))
    assert len(watch(WELL)) == 1
    assert watch(WELL) == []


def test_us6_4_a_watch_that_did_not_run_is_over_once_it_runs(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / monitor.UNWATCHED).touch()
    ((subject, _),) = watch(WELL)
    assert subject == "sample: over: unwatched"
    assert watch(WELL) == []


def test_us6_4_notes_that_were_cut_off_do_not_silence_the_watch(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / monitor.ACTIVE).write_text('{"backup-failed": "cut o')
    assert len(watch(failed(BACKUP))) == 1


# failed|segment|archived|waiting|bytes|limit, as psql prints them.
@pytest.mark.parametrize(
    ("answer", "failing", "waiting"),
    [
        (f"0||{NOW - 5}|0|100|200", None, None),
        (f"{NOW - 30}|000000010000000000000005|{NOW - 90}|{NOW - 80}|100|200", NOW - 30, NOW - 80),
        # It failed, and has archived since.
        (f"{NOW - 90}|000000010000000000000005|{NOW - 30}|{NOW - 20}|100|200", None, NOW - 20),
        # Nothing waits: what failed is not wanted any more.
        (f"{NOW - 30}|000000010000000000000005|{NOW - 90}|0|100|200", None, None),
    ],
)
def test_us6_4_the_archiver_fails_while_its_last_word_is_a_failure(
    answer: str, failing: float | None, waiting: float | None
) -> None:
    seen = monitor._archiver(WELL, answer)
    assert (seen.failed_at, seen.waiting_since, seen.wal_bytes, seen.wal_limit) == (failing, waiting, 100, 200)
