"""`--full` keeps what was measured: held or not, as data, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evidence import record

MARKED = """
import pytest

@pytest.mark.proof("ports")
def test_ports(evidence, short):
    {body}

@pytest.mark.full
@pytest.mark.proof("restart", part="scaling")
def test_scaling(evidence):
    evidence({{"sent": 10, "failed": 0}})

@pytest.mark.proof("restart", part="restart")
def test_restart(evidence):
    evidence({{"sent": 20, "failed": 0}})

@pytest.mark.proof("backup-faults")
@pytest.mark.parametrize("fault", ["disk full", "no bucket"])
def test_faults(evidence, fault):
    evidence({{"exit": 3, "said": fault}})

def test_else():
    raise AssertionError("is no promise")
"""
MEASURE = """
def ports():
    found = {"open": [22, 5432], "scanned": 9}
    assert found["open"] == [22], found
"""
GOOD = 'evidence({"open": [22], "scanned": 9, **short(scanned=1)})'


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of its own, whose evidence goes to `evidence/` beside it."""
    monkeypatch.setattr(record, "FOLDER", pytester.path / "evidence")

    def run(*options: str, body: str = GOOD) -> pytest.RunResult:
        pytester.makepyfile(measure=MEASURE)
        pytester.makepyfile(MARKED.format(body=body))
        return pytester.runpytest_inprocess("-p", "tests.evidence.plugin", *options)

    return run


def kept(folder: Path, line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evidence" / f"{line}.json").read_text())
    return found


def test_a_promise_that_holds_is_written_with_what_is_needed_to_judge_it(run: Any, pytester: pytest.Pytester) -> None:
    run("--full", "--line", "ports").assert_outcomes(passed=1, deselected=5)
    found = kept(pytester.path, "ports")
    assert found["held"] is True
    assert found["figure"] == "22 of 9 ports", "the whole windows"
    assert found["command"].endswith("--full --line ports")
    assert {"promise", "goal", "date", "commit", "dirty", "machine", "seconds"} <= set(found)


def test_what_does_not_hold_is_data_too(run: Any, pytester: pytest.Pytester) -> None:
    """The result is the measured dict, not its text; what did not hold is the assertion's own words."""
    done = run("--full", "--line", "ports", body="import measure; measure.ports()")
    done.assert_outcomes(failed=1, deselected=5)
    found = kept(pytester.path, "ports")
    assert (found["held"], found["result"]) == (False, {"open": [22, 5432], "scanned": 9})
    assert found["reason"].startswith('did not hold: found["open"] == [22] (')
    assert found["figure"] == "22, 5432 of 9 ports"
    done.stdout.fnmatch_lines(["ports *DID NOT HOLD*22, 5432 of 9 ports*"])


def test_a_measurement_that_breaks_off_is_written_as_not_held(run: Any, pytester: pytest.Pytester) -> None:
    run("--full", "--line", "ports", body='raise RuntimeError("the host is gone")')
    found = kept(pytester.path, "ports")
    assert (found["held"], found["result"]) == (False, {"error": found["reason"]})
    assert found["figure"].startswith("RuntimeError: the host is gone")


def test_a_test_that_judges_what_it_has_handed_over_keeps_it(run: Any, pytester: pytest.Pytester) -> None:
    run("--full", "--line", "ports", body='evidence({"open": [], "scanned": 9})\n    assert False, "nothing is open"')
    found = kept(pytester.path, "ports")
    assert (found["held"], found["result"]) == (False, {"open": [], "scanned": 9})
    assert "nothing is open" in found["reason"]


def test_a_result_without_its_figure_does_not_hold_and_does_not_end_the_run(run: Any, pytester: pytest.Pytester) -> None:
    """What was measured is not what the promise reads: the other lines are measured and written all the same."""
    done = run("--full", body='evidence({"something": "else"})')
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    found = kept(pytester.path, "ports")
    assert (found["held"], found["result"]) == (False, {"something": "else"})
    assert found["reason"] == "the figure cannot be read of what was measured: KeyError('open')"
    assert kept(pytester.path, "restart")["held"] is True


def test_a_rehearsal_of_fixtures_writes_nothing(run: Any, pytester: pytest.Pytester) -> None:
    done = run("--full", "--line", "ports", "--setup-plan")
    assert not (pytester.path / "evidence").exists()
    done.stdout.fnmatch_lines(["ports *not written: nothing was measured"])


def test_a_promise_that_hands_over_nothing_fails(run: Any, pytester: pytest.Pytester) -> None:
    run("--full", "--line", "ports", body="pass").assert_outcomes(failed=1, deselected=5)
    assert kept(pytester.path, "ports")["held"] is False


def test_parts_and_cases_of_a_line_are_one_result(run: Any, pytester: pytest.Pytester) -> None:
    run("--full").assert_outcomes(passed=5, deselected=1)
    assert kept(pytester.path, "restart")["figure"] == "0 of 30 requests failed"
    assert set(kept(pytester.path, "backup-faults")["result"]) == {"disk full", "no bucket"}


def test_half_a_line_is_not_written_and_said_so(run: Any, pytester: pytest.Pytester) -> None:
    done = run("--full", "-k", "test_restart")
    assert not (pytester.path / "evidence").exists()
    done.stdout.fnmatch_lines(["restart *not written: 1 of its tests were left out"])


def test_without_full_what_has_no_short_form_is_left_out_and_nothing_is_written(run: Any, pytester: pytest.Pytester) -> None:
    run().assert_outcomes(passed=4, failed=1, deselected=1)
    assert not (pytester.path / "evidence").exists()


def test_a_line_that_there_is_not_is_refused(run: Any) -> None:
    done = run("--full", "--line", "rolback")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*no promise is called rolback; there are demo, *"])
