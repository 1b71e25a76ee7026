"""The cutover from SQLite as a state machine: every step with either outcome, and where a run begins after one cut off."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from operations import cutover as moving
from operations.cutover import CutoverExecutor
from operations.executor import StepFailedError
from signupflow import cutover
from signupflow.cutover import Step, first, following, interrupted, last_step, line, may_be_filled, old_is_routed
from signupflow.maintenance import PRIORITY as PAGE_PRIORITY

# Step, what follows it, and what follows when it fails.
TABLE = [
    (Step.CHECK, Step.PAGE, Step.STAYED),
    (Step.PAGE, Step.STOP, Step.CLOSE),
    (Step.STOP, Step.IMPORT, Step.START),
    (Step.IMPORT, Step.SMOKE, Step.EMPTY),
    (Step.SMOKE, Step.RELEASE, Step.EMPTY),
    (Step.RELEASE, Step.OPEN, Step.WITHDRAW),
    (Step.OPEN, Step.MOVED, Step.STUCK),
    (Step.WITHDRAW, Step.EMPTY, Step.STUCK),
    (Step.EMPTY, Step.START, Step.STUCK),
    (Step.START, Step.CLOSE, Step.STUCK),
    (Step.CLOSE, Step.STAYED, Step.STUCK),
    (Step.MOVED, Step.MOVED, Step.MOVED),
    (Step.STAYED, Step.STAYED, Step.STAYED),
    (Step.STUCK, Step.STUCK, Step.STUCK),
]


def test_us2_4_the_table_has_every_step() -> None:
    assert [row[0] for row in TABLE] == list(Step)


@pytest.mark.parametrize(("step", "well", "badly"), TABLE)
def test_us2_4_each_step_leads_where_it_should(step: Step, well: Step, badly: Step) -> None:
    assert following(step, True) is well
    assert following(step, False) is badly


def way(step: Step, failing: Step | None = None) -> list[Step]:
    steps = [step]
    while steps[-1] not in cutover.ENDS:
        steps.append(following(steps[-1], steps[-1] is not failing))
    return steps


@pytest.mark.parametrize("failing", [step for step in cutover.FORWARD if step not in (Step.OPEN, Step.MOVED)])
def test_us2_4_any_failure_before_the_page_goes_ends_with_the_old_service_open(failing: Step) -> None:
    steps = way(Step.CHECK, failing)
    assert steps[-1] is Step.STAYED
    # What was stopped is started, what was filled is emptied, what was routed is withdrawn, and the page goes last.
    assert (Step.START in steps) == (Step.STOP in steps)
    assert (Step.EMPTY in steps) == (Step.IMPORT in steps)
    assert (Step.WITHDRAW in steps) == (Step.RELEASE in steps)
    assert (Step.CLOSE in steps) == (Step.PAGE in steps)


def test_us2_4_once_people_may_have_written_into_postgresql_nothing_is_emptied() -> None:
    assert way(Step.OPEN, Step.OPEN) == [Step.OPEN, Step.STUCK]
    assert first(Step.OPEN) is Step.OPEN
    assert not may_be_filled(Step.MOVED)


def test_us2_4_a_check_that_fails_behind_a_page_left_by_a_killed_run_opens_the_old_service_again() -> None:
    assert following(Step.CHECK, False, interrupted=True) is Step.START
    assert [step for step in Step if interrupted(step)] == [
        step for step in Step if step not in (Step.CHECK, Step.STAYED, Step.MOVED)
    ]


@pytest.mark.parametrize(
    ("last", "begins", "filled"),
    [
        (None, Step.CHECK, False),
        (Step.CHECK, Step.CHECK, False),
        (Step.PAGE, Step.CHECK, False),
        (Step.STOP, Step.CHECK, False),
        (Step.IMPORT, Step.PAGE, True),
        (Step.SMOKE, Step.PAGE, True),
        (Step.RELEASE, Step.PAGE, True),
        (Step.OPEN, Step.OPEN, False),
        (Step.WITHDRAW, Step.PAGE, True),
        (Step.EMPTY, Step.PAGE, True),
        (Step.START, Step.CHECK, False),
        (Step.CLOSE, Step.CHECK, False),
        (Step.STAYED, Step.CHECK, False),
        (Step.MOVED, Step.MOVED, False),
    ],
)
def test_us2_4_a_run_begins_where_the_one_before_was_cut_off(last: Step | None, begins: Step, filled: bool) -> None:
    assert first(last) is begins
    assert may_be_filled(last) is filled
    # Nobody is led to the old service by a later run once it may have been overtaken.
    assert old_is_routed(last) is (last not in (Step.RELEASE, Step.OPEN, Step.MOVED))


def test_us2_4_the_journals_last_whole_line_counts() -> None:
    written = [line("2026-11-26T10:00:00.000+00:00", step, "abc") for step in (Step.CHECK, Step.PAGE)]
    assert last_step("\n".join(written)) is Step.PAGE
    assert last_step("\n".join([*written, "2026-11-26T10:00:01.000+00:00 sto"])) is Step.PAGE
    assert last_step("") is None


def test_us2_4_the_plan_says_what_will_happen_and_for_how_long() -> None:
    small, large = (cutover.describe(size, ["web1"], "systemctl stop old") for size in (1_000_000, 900_000_000))
    assert [text.partition(":")[0] for text in small[:-1]] == [str(step) for step in cutover.FORWARD[:-1]]
    assert "systemctl stop old" in small[2]
    assert "about 103 s" in large[3]
    assert cutover.import_seconds(0) > 0


def test_us2_4_the_old_service_is_above_the_app_and_below_the_page() -> None:
    found = yaml.safe_load(cutover.routes("app", ["a.helpers.org", "b.helpers.org"], "http://172.17.0.1:8000"))["http"]
    assert [router["rule"] for router in found["routers"].values()] == ["Host(`a.helpers.org`)", "Host(`b.helpers.org`)"]
    assert {router["priority"] for router in found["routers"].values()} == {cutover.PRIORITY}
    assert 253 + len("Host(``)") < cutover.PRIORITY < PAGE_PRIORITY
    assert found["services"]["app-legacy"]["loadBalancer"]["servers"] == [{"url": "http://172.17.0.1:8000"}]


def _executor(file: Path, monkeypatch: pytest.MonkeyPatch) -> CutoverExecutor:
    """Of a file on this machine, without app hosts; commands run here, and the import says that all is well."""

    def here(target: object, command: str, *_: object, **__: object) -> str:
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(moving, "run", here)
    monkeypatch.setattr(CutoverExecutor, "_import", lambda self, *options: {"source": {}, "tables": {}})
    monkeypatch.setattr(CutoverExecutor, "_unroute", lambda *_: None)
    monkeypatch.setattr(CutoverExecutor, "say", lambda *_: None)
    executor = CutoverExecutor.__new__(CutoverExecutor)
    move = moving.Move("app", "db", str(file), "", "", "", (), "/none", ("", ""), ("", ""), (), (), ())
    executor.move, executor.last = move, None
    executor.database = executor.edge = SimpleNamespace(name="here")  # type: ignore[assignment]
    return executor


@pytest.mark.parametrize("where", ["", "-wal"])
def test_c5_what_is_written_after_the_import_is_noticed_before_the_page_goes(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leads back: the step that fails is the last one from which there is a way."""
    file = tmp_path / "old service's.db"
    file.write_bytes(b"rows")
    executor = _executor(file, monkeypatch)
    executor.import_()
    Path(f"{file}{where}").write_bytes(b"rows and more")
    with pytest.raises(StepFailedError, match=r"somebody has written to .* since it was imported: legacy_stop does not stop it"):
        executor.release()
    assert following(Step.RELEASE, False, False) is Step.WITHDRAW


def test_c5_a_file_that_was_only_looked_at_is_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "old.db"
    file.write_bytes(b"rows")
    executor = _executor(file, monkeypatch)
    executor.import_()
    file.touch()
    executor.release()
