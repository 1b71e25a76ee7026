"""Waiting: it ends with the answer, with the deadline, and not at the first error of those that mean "not yet"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import waiting
from lab.errors import LabError


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def answers(*given: object) -> Callable[[], object]:
    """Each in its turn, an error by being raised; the last one for ever."""
    left = list(given)

    def ask() -> object:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return ask


def test_the_first_true_answer_is_returned(clock: Clock) -> None:
    assert waiting.wait_for(answers(0, "", "here"), 10, "nothing came", every=2) == "here"
    assert clock.now == 104


def test_after_the_deadline_it_says_what_did_not_come(clock: Clock) -> None:
    with pytest.raises(LabError, match=r"^not within 10 s: nothing came$"):
        waiting.wait_for(answers(False), 10, "nothing came", every=2)
    assert clock.now == 110


def test_errors_that_mean_not_yet_are_asked_again_and_the_last_is_named(clock: Clock) -> None:
    assert waiting.wait_for(answers(OSError("refused"), 7), 10, "no server", not_yet=(OSError,)) == 7
    with pytest.raises(LabError, match=r"^not within 10 s: no server: refused$"):
        waiting.wait_for(answers(OSError("refused")), 10, "no server", every=2, not_yet=(OSError,))


def test_any_other_error_ends_it(clock: Clock) -> None:
    with pytest.raises(ValueError, match="broken"):
        waiting.wait_for(answers(ValueError("broken")), 10, "no server", not_yet=(OSError,))
    assert clock.now == 100


def test_it_asks_once_more_when_time_ran_out_during_the_question(clock: Clock) -> None:
    """A question that takes longer than the deadline on a busy machine does not turn what is there into what never came."""

    def slow() -> bool:
        clock.now += 30
        return clock.now > 150

    assert waiting.wait_for(slow, 10, "nothing came")
