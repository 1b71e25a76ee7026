"""The last line of a run, from data."""

from __future__ import annotations

import pytest

from signupflow import closing
from signupflow.closing import Ending, Outcome

OLD, NEW = "0.1.0", "2.0.0"

ENDINGS = {
    "Released (41 s): web1 and web2 serve 2.0.0.": Ending(Outcome.RELEASED, {"web1": NEW, "web2": NEW}, seconds=41.2),
    "Restarted: web1 serves 2.0.0.": Ending(Outcome.RELEASED, {"web1": NEW}, kind="restart"),
    "Rolled back (30 s): web1 serves 0.1.0.": Ending(Outcome.RELEASED, {"web1": OLD}, seconds=30, kind="rollback"),
    "Nothing to abort: web1 serves 2.0.0.": Ending(Outcome.NOTHING_TO_ABORT, {"web1": NEW}),
    "Interrupted and rolled back: web1 serves 0.1.0. Finish: `signupflow deploy`": Ending(
        Outcome.INTERRUPTED, {"web1": OLD}, undo=""
    ),
    "Interrupted. h1 has 2.0.0. Finish: `signupflow deploy 2.0.0`; undo: `signupflow abort`": Ending(
        Outcome.INTERRUPTED, {"h1": NEW}, finish="signupflow deploy 2.0.0"
    ),
    "Nothing changed: web1 serves 2.0.0.": Ending(Outcome.UNCHANGED, {"web1": NEW}),
    "Aborted: web1, web2 and web3 serve 0.1.0.": Ending(Outcome.ABORTED, dict.fromkeys(("web1", "web2", "web3"), OLD)),
    "Interrupted. h1 has 2.0.0, h2 0.1.0. Finish: `signupflow deploy`; undo: `signupflow abort`": Ending(
        Outcome.INTERRUPTED, {"h1": NEW, "h2": OLD}
    ),
    "Interrupted. h1 serves 2.0.0, h2 is unreachable. Finish: `signupflow deploy`; undo: `signupflow abort`": Ending(
        Outcome.INTERRUPTED, {"h1": NEW, "h2": "?"}
    ),
    "web2: not healthy after 60 s. Rolled back: web1 and web2 serve 0.1.0.": Ending(
        Outcome.ROLLED_BACK, {"web1": OLD, "web2": OLD}, "web2: not healthy after 60 s"
    ),
    "web1: 200 MB free, 400 MB needed. web1 serves 0.1.0.": Ending(
        Outcome.FAILED, {"web1": OLD}, "web1: 200 MB free, 400 MB needed"
    ),
    "h2: unreachable. Rolled back: h1 serves 0.1.0, h2 is unreachable. Undo: `signupflow abort`": Ending(
        Outcome.ROLLED_BACK, {"h1": OLD, "h2": "?"}, "h2: unreachable", finish=""
    ),
    "h1: refused. h1 serves nothing.": Ending(Outcome.FAILED, {"h1": ""}, "h1: refused."),
}


@pytest.mark.parametrize(("line", "ending"), ENDINGS.items(), ids=lambda value: value[:30] if isinstance(value, str) else "")
def test_a28_the_last_line_says_what_serves_where_or_why_not(line: str, ending: Ending) -> None:
    assert ending.line() == line
    assert "\n" not in line


@pytest.mark.parametrize("outcome", Outcome)
def test_a28_every_outcome_has_a_line_without_any_host_known(outcome: Outcome) -> None:
    said = Ending(outcome, reason="web1: why").line()
    assert said
    assert said.count("  ") == 0
    assert Ending(outcome).failed == (outcome in (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.INTERRUPTED))


def test_a28_many_hosts_are_counted() -> None:
    assert closing.where({f"web{number}": NEW for number in range(20)}) == "20 hosts serve 2.0.0"
    assert closing.would_change({f"web{number}": 1 for number in range(8)}).endswith("web5 (1 operation) and 2 more")


def test_a28_a_dry_run_counts_hosts_and_operations() -> None:
    found = closing.would_change({"web1": 3, "db1": 1, "web2": 0})
    assert found == "2 hosts would change: web1 (3 operations), db1 (1 operation)"
    assert closing.would_change({"web1": 0}) == closing.would_change({}) == "Nothing would change."
    assert closing.changed({"web1": 0}) == "Nothing changed."
    assert closing.changed({"web1": 2}) == "Changed: web1 (2 operations)."
