"""The state machine of a rollout: every step with every event, every path, and what a killed run leaves."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signupflow.release.plan import HostPlan, lines, schema_step, steps
from signupflow.release.resume import Generation, Observed, Work, back, decide, decide_again, next_number, undo
from signupflow.release.rollout import BACKWARD, ENDS, Event, Rollout, Step
from signupflow.release.schema import Migration

pytestmark = pytest.mark.whole

FULL = Rollout("web1", new=8, old=7, replicas=2, soak_seconds=25, weights=(10, 50), pause_seconds=5, bake_seconds=30)
FIRST = Rollout("web1", new=1, old=0, replicas=1, soak_seconds=25, weights=(10,), bake_seconds=30)
BACK = Rollout("web1", new=7, old=8, replicas=2, known=True, soak_seconds=25, weights=(10,), bake_seconds=30)
PLAIN = Rollout("web1", new=8, old=7, replicas=1, verify=False)

# Every (step, event) of a full rollout, written out: what follows is decided here and nowhere else.
FORWARD = [
    (Step.WRITE, Step.START, Step.REMOVE),
    (Step.START, Step.HEALTH, Step.REMOVE),
    (Step.HEALTH, Step.VERIFY, Step.REMOVE),
    (Step.VERIFY, Step.SOAK, Step.REMOVE),
    (Step.SOAK, Step.SHIFT, Step.REMOVE),
    (Step.SHIFT, Step.PROMOTE, Step.ROUTE_BACK),
    (Step.PROMOTE, Step.SWITCH, Step.ROUTE_BACK),
    (Step.SWITCH, Step.STOP, Step.ROUTE_BACK),
    (Step.STOP, Step.SMOKE, Step.REVIVE),
    (Step.SMOKE, Step.BAKE, Step.REVIVE),
    (Step.BAKE, Step.FINISH, Step.REVIVE),
    (Step.FINISH, Step.DONE, Step.STUCK),
    (Step.REVIVE, Step.ROUTE_BACK, Step.STUCK),
    (Step.ROUTE_BACK, Step.REMOVE, Step.STUCK),
    (Step.REMOVE, Step.ROLLED_BACK, Step.STUCK),
    (Step.DONE, Step.DONE, Step.DONE),
    (Step.ROLLED_BACK, Step.ROLLED_BACK, Step.ROLLED_BACK),
    (Step.STUCK, Step.STUCK, Step.STUCK),
]


def test_us5_3_every_step_and_event_has_its_successor() -> None:
    assert [row[0] for row in FORWARD] == list(Step)
    for step, good, bad in FORWARD:
        assert FULL.after(step, Event.OK) is good
        assert FULL.after(step, Event.FAILED) is bad
        assert FULL.after(step, Event.MORE) is step


@pytest.mark.parametrize(("rollout", "step", "event"), [*product((FULL, FIRST, BACK, PLAIN), Step, Event)])
def test_us5_3_no_pair_is_without_a_successor_and_every_failure_ends(rollout: Rollout, step: Step, event: Event) -> None:
    following = rollout.after(step, event)
    assert isinstance(following, Step)
    for _ in Step:
        following = rollout.after(following, Event.OK if following in BACKWARD else Event.FAILED)
    assert following in ENDS


def path(rollout: Rollout, fail_at: Step | None = None) -> list[Step]:
    """Steps of a rollout from its first to its end; one of them fails."""
    step, seen = rollout.path[0], []
    while step not in ENDS:
        seen.append(step)
        step = rollout.after(step, Event.FAILED if step is fail_at else Event.OK)
    return [*seen, step]


def test_us5_1_the_old_replicas_stop_only_after_all_traffic_has_moved() -> None:
    for rollout in (FULL, BACK, PLAIN):
        order = path(rollout)
        assert order.index(Step.SWITCH) < order.index(Step.STOP)
        assert order.index(Step.HEALTH) < order.index(Step.SWITCH)
        assert order.index(Step.PROMOTE) < order.index(Step.SWITCH)


@pytest.mark.parametrize("failing", FULL.path)
def test_us3_5_whatever_fails_traffic_goes_back_before_anything_is_removed(failing: Step) -> None:
    order = path(FULL, failing)
    if failing is Step.FINISH:
        assert order[-1] is Step.STUCK
        return
    assert order[-2:] == [Step.REMOVE, Step.ROLLED_BACK]
    switched = Step.SHIFT in order
    assert (Step.ROUTE_BACK in order) == switched
    # Once the old ones may be gone, they come up before anything is routed to them.
    if Step.STOP in order:
        assert order.index(Step.REVIVE) < order.index(Step.ROUTE_BACK)


@pytest.mark.parametrize("failing", FIRST.path)
def test_us3_5_a_first_release_never_takes_its_own_routes_away(failing: Step) -> None:
    order = path(FIRST, failing)
    assert Step.ROUTE_BACK not in order
    assert Step.REVIVE not in order
    assert order[-1] is (Step.ROLLED_BACK if failing in (Step.WRITE, Step.START, Step.HEALTH, Step.VERIFY) else Step.STUCK)


def test_us5_3_when_both_serve_already_every_failure_begins_with_the_routes() -> None:
    shared = Rollout("web1", new=8, old=7, replicas=1, shared=True, soak_seconds=25, weights=(10,))
    assert Step.SOAK not in shared.path, "a candidate that has traffic is not stopped to try it"
    for step in (Step.WRITE, Step.START, Step.HEALTH, Step.VERIFY, Step.SHIFT):
        assert shared.after(step, Event.FAILED) is Step.ROUTE_BACK
    (resumed,) = decide(Observed("web1", (7, 8), {7: OTHER, 8: CANDIDATE}), FULL)
    assert resumed.rollout.shared


def test_us5_4_steps_that_a_setting_leaves_out_are_left_out() -> None:
    assert FIRST.path == (Step.WRITE, Step.START, Step.HEALTH, Step.VERIFY, Step.PROMOTE, Step.SWITCH, Step.SMOKE, Step.FINISH)
    assert BACK.path == (Step.START, Step.HEALTH, Step.PROMOTE, Step.SWITCH, Step.STOP, Step.SMOKE, Step.FINISH)
    assert not {Step.VERIFY, Step.SOAK, Step.SHIFT, Step.BAKE} & set(PLAIN.path)
    assert FULL.path == tuple(step for step in Step if step not in ENDS and step not in BACKWARD)


def test_us5_4_a_rollout_describes_each_of_its_steps() -> None:
    said = FULL.describe()
    assert [line.partition(":")[0] for line in said] == [str(step) for step in FULL.path]
    assert any("10 %, 50 % of this host's traffic, 5 s each" in line for line in said)
    assert any("1 replica of generation 1" in line for line in FIRST.describe())


# What a killed run leaves, and what the next one does about it.

WANTED, OTHER = Generation(desired=True, promoted=True), Generation(desired=False, promoted=True)
CANDIDATE, STALE = Generation(desired=True, promoted=False), Generation(desired=False, promoted=False)


def todo(observed: Observed) -> list[tuple[Step, int, int]]:
    return [(item.first, item.rollout.new, item.rollout.old) for item in decide(observed, FULL)]


@pytest.mark.parametrize(
    ("what", "observed", "expected"),
    [
        ("a bare host", Observed("web1"), [(Step.WRITE, 1, 0)]),
        ("serves what is wanted", Observed("web1", (7,), {7: WANTED}), []),
        ("serves another", Observed("web1", (7,), {7: OTHER}), [(Step.WRITE, 8, 7)]),
        ("its containers are gone", Observed("web1", (7,), {}, (7,)), [(Step.WRITE, 8, 7)]),
        ("old files hold their numbers", Observed("web1", (7,), {7: OTHER}, (6, 7, 8)), [(Step.WRITE, 10, 7)]),
        ("killed before the shift", Observed("web1", (7,), {7: OTHER, 8: CANDIDATE}), [(Step.WRITE, 8, 7)]),
        ("killed, and another is wanted now", Observed("web1", (7,), {7: OTHER, 8: STALE}), [(Step.REMOVE, 8, 7), (Step.WRITE, 10, 7)]),  # noqa: E501
        ("killed before anything served", Observed("web1", (), {1: CANDIDATE}), [(Step.WRITE, 1, 0)]),
        ("two candidates", Observed("web1", (7,), {7: OTHER, 8: CANDIDATE, 10: CANDIDATE}), [(Step.REMOVE, 8, 7), (Step.WRITE, 10, 7)]),  # noqa: E501
        ("a candidate on the same ports", Observed("web1", (7,), {7: OTHER, 9: CANDIDATE}), [(Step.REMOVE, 9, 7), (Step.WRITE, 10, 7)]),  # noqa: E501
        ("killed in the shift", Observed("web1", (7, 8), {7: OTHER, 8: CANDIDATE}), [(Step.HEALTH, 8, 7)]),
        (
            "killed in the shift, and another is wanted now",
            Observed("web1", (7, 8), {7: OTHER, 8: STALE}),
            [(Step.ROUTE_BACK, 8, 7), (Step.WRITE, 10, 7)],
        ),
        ("killed in the shift, and the old one is wanted", Observed("web1", (7, 8), {7: WANTED, 8: STALE}), [(Step.ROUTE_BACK, 8, 7)]),  # noqa: E501
        ("killed in the shift, candidate lost", Observed("web1", (7, 8), {7: WANTED}), [(Step.ROUTE_BACK, 8, 7)]),
        ("a rollback killed before its switch", Observed("web1", (8,), {7: OTHER, 8: CANDIDATE}), [(Step.PROMOTE, 8, 0), (Step.REMOVE, 7, 8)]),  # noqa: E501
        ("killed before the stop", Observed("web1", (8,), {7: STALE, 8: WANTED}, unfinished=7), [(Step.PROMOTE, 8, 7)]),
        ("something older still runs", Observed("web1", (8,), {5: STALE, 8: WANTED}), [(Step.REMOVE, 5, 8)]),
        ("killed in the bake", Observed("web1", (8,), {8: WANTED}, unfinished=7), [(Step.SMOKE, 8, 7)]),
        ("killed in a first release", Observed("web1", (1,), {1: WANTED}, unfinished=0), [(Step.SMOKE, 1, 0)]),
        ("not promoted", Observed("web1", (8,), {8: CANDIDATE}), [(Step.PROMOTE, 8, 0)]),
        ("routes elsewhere", Observed("web1", (8,), {8: WANTED}, routes_match=False), [(Step.SWITCH, 8, 0)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_us5_3_what_a_killed_run_left_is_finished_or_rolled_back(
    what: str, observed: Observed, expected: list[tuple[Step, int, int]]
) -> None:
    assert todo(observed) == expected


@pytest.mark.parametrize(
    ("what", "observed", "expected"),
    [
        ("serves what is wanted", Observed("web1", (7,), {7: WANTED}, (6, 7)), [(Step.WRITE, 8, 7)]),
        ("serves another", Observed("web1", (7,), {7: OTHER}), [(Step.WRITE, 8, 7)]),
        (
            "cut off before the shift",
            Observed("web1", (7,), {7: WANTED, 8: CANDIDATE}),
            [(Step.REMOVE, 8, 7), (Step.WRITE, 10, 7)],
        ),
        ("cut off in the shift", Observed("web1", (7, 8), {7: WANTED, 8: CANDIDATE}), [(Step.HEALTH, 8, 7)]),
        ("nothing serves", Observed("web1"), [(Step.WRITE, 1, 0)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_us5_1_a_restart_brings_new_containers_of_the_same(
    what: str, observed: Observed, expected: list[tuple[Step, int, int]]
) -> None:
    assert [(item.first, item.rollout.new, item.rollout.old) for item in decide_again(observed, FULL)] == expected


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (Observed("web1", (7,), {7: OTHER}), []),
        (Observed("web1", (7,), {7: OTHER, 8: CANDIDATE}), [(Step.REMOVE, 8, 7)]),
        (Observed("web1", (7, 8), {7: OTHER, 8: CANDIDATE}), [(Step.ROUTE_BACK, 8, 7)]),
        (Observed("web1", (8,), {8: WANTED}, unfinished=7), [(Step.START, 7, 8)]),
        (Observed("web1", (8,), {7: OTHER, 8: WANTED}, unfinished=7), [(Step.START, 7, 8)]),
        # An abort, or a rollback, that was itself killed goes on, and never back again.
        (Observed("web1", (8,), {7: OTHER, 8: WANTED}, going_back=7), [(Step.START, 7, 8)]),
        (Observed("web1", (7,), {7: OTHER, 8: WANTED}, going_back=7), [(Step.PROMOTE, 7, 8)]),
        (Observed("web1", (7,), {7: OTHER}, going_back=7), [(Step.PROMOTE, 7, 0)]),
    ],
)
def test_us5_3_abort_undoes_it(observed: Observed, expected: list[tuple[Step, int, int]]) -> None:
    assert [(item.first, item.rollout.new, item.rollout.old) for item in undo(observed, FULL)] == expected


def test_us3_5_rolling_back_leaves_out_what_the_old_release_has_proved() -> None:
    item = back(FULL, serving=8, before=7)
    assert item.rollout.path == BACK.path
    assert (item.first, item.rollout.new, item.rollout.old) == (Step.START, 7, 8)


generations = st.dictionaries(st.integers(1, 40), st.sampled_from([WANTED, OTHER, CANDIDATE, STALE]), max_size=4)


@given(
    generations,
    st.lists(st.integers(1, 40), max_size=2, unique=True),
    st.lists(st.integers(1, 40), max_size=4),
    st.one_of(st.none(), st.integers(0, 40)),
)
def test_us5_2_no_state_leads_to_what_serves_being_removed(
    present: dict[int, Generation], routed: list[int], used: list[int], unfinished: int | None
) -> None:
    observed = Observed("web1", tuple(sorted(routed)), present, tuple(used), True, unfinished)
    for item in (*decide(observed, FULL), *undo(observed, FULL)):
        if item.first is Step.REMOVE:
            assert item.rollout.new not in routed
        if item.first is Step.WRITE and item.rollout.new not in present:
            assert item.rollout.new == next_number(observed) or item.rollout.new > max(routed, default=0)
            assert not observed.current or item.rollout.new % 2 != observed.current % 2


# What is printed.


def test_sc004_the_plan_names_hosts_in_order_and_their_steps() -> None:
    plans = [
        HostPlan("web2", 7, (Work(FULL, Step.WRITE),)),
        HostPlan("web1", 8, ()),
        HostPlan("web3", 7, (Work(FULL, Step.ROUTE_BACK), Work(FULL, Step.SMOKE))),
    ]
    said = list(lines("app 2.0", "is at abc already", plans, 120, "rollback"))
    hosts = [line.split(". ")[1].split(":")[0] for line in said if line[4:5].isdigit()]
    assert hosts == [
        "preflight of all hosts, and the deploy lock",
        "the schema is at abc already",
        *("web2", "web1", "web3"),
        "monitor",
        "record, and the deploy lock is released",
    ]
    assert "rolled back" in said[-1]
    assert sum(line.strip().startswith("smoke:") for line in said) == 2
    assert any("left by an interrupted run" in line for line in said)


def test_sc004_the_plan_of_nothing_is_nothing() -> None:
    assert not list(lines("app", "", [HostPlan("web1", 8, ())], 120, "keep"))
    first = [HostPlan("web1", 0, (Work(FIRST, Step.WRITE),))]
    said = list(lines("app", "", first, 120, "keep"))
    assert not any("monitor" in line for line in said)
    assert "keep it" in said[-1]


def test_sc004_the_rollouts_steps_are_listed_from_where_they_begin() -> None:
    assert [line.partition(":")[0] for line in steps(Work(FULL, Step.SMOKE))] == ["smoke", "bake", "finish"]


@pytest.mark.parametrize(
    ("revision", "known", "said"),
    [
        ("", "", "own migration command"),
        ("b", "b", "is at b already"),
        ("b", None, "does not answer"),
        ("b", "", "made, at b"),
        ("b", "z", "newer than this image"),
        ("b", "a", "from a: b; tried on a copy"),
    ],
)
def test_us2_3_the_plan_says_what_becomes_of_the_schema(revision: str, known: str | None, said: str) -> None:
    migrations = (Migration("a", "", (), ""), Migration("b", "a", (), ""))
    assert said in schema_step(revision, known, migrations)
