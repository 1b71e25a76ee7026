"""Where a rollback goes, and when the schema forbids it."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from signupflow.errors import OperatorError
from signupflow.release import agreement, rollback, served
from signupflow.release.ledger import Record
from signupflow.release.schema import Migration

pytestmark = pytest.mark.whole


def record(version: str, kind: str = "release", outcome: str = "released", image: str = "") -> Record:
    image = image or ("sha256:" + version.replace(".", "") * 16 if version else "")
    return Record("run-" + version, "app", version, image, "s", "ada", "", "t", 1, outcome, "", (), (), None, {}, kind=kind)


A, B, C = record("1.0"), record("2.0"), record("3.0")


def test_fr012_without_a_name_it_goes_to_the_release_before() -> None:
    assert rollback.target([A, B, C], C.image) is B
    assert rollback.target([A, B, record("2.0", "restart"), C], C.image).version == "2.0"
    assert rollback.target([A, B, record("2.5", outcome="failed"), C], C.image) is B
    maintained = record("", kind="maintenance")
    assert rollback.target([A, B, C], "sha256:of nobody") is C
    assert rollback.target([A, B, C, maintained], C.image) is B


def test_fr012_a_second_rollback_goes_further_back_and_never_to_what_was_left() -> None:
    assert rollback.target([A, B, C, record("2.0", "rollback")], B.image) is A
    with pytest.raises(OperatorError, match=r"name one to go to it all the same: 2\.0$"):
        rollback.target([A, B, record("1.0", "rollback")], A.image)


D = record("4.0")


def back(to: Record) -> Record:
    return dataclasses.replace(to, kind="rollback")


def way(records: list[Record], serving: Record) -> list[str]:
    """Where `rollback` goes, again and again, until it is refused."""
    found: list[str] = []
    while len(found) < 9:
        try:
            to = rollback.target(records, serving.image)
        except OperatorError:
            break
        found.append(to.version)
        records, serving = [*records, back(to)], to
    return found


def kept(what: Record) -> Record:
    """It failed, and its hosts keep it (app_on_failure)."""
    return dataclasses.replace(what, outcome="failed", hosts=("web1",))


CUT_OFF = record("1.0", "rollback", "interrupted")
NOWHERE = dataclasses.replace(A, outcome="interrupted", serves={"web1": "2.0"})
ABORT = dataclasses.replace(record(""), kind="abort", outcome="aborted")
CUT = dataclasses.replace(A, kind="cutover")


@pytest.mark.parametrize(
    ("why", "records", "serving", "expected"),
    [
        ("a cutover counts", [CUT, B, back(A)], A, []),
        ("0.4, 0.3, 0.4, 0.3 and back again", [A, B, C, back(B), C, back(B)], B, ["1.0"]),
        ("a release that was left, and its successor", [A, B, C, back(B), D], D, ["2.0", "1.0"]),
        ("one that was jumped over is left as well", [A, B, C, back(A), D], D, ["1.0"]),
        ("what was left and is released again counts", [A, B, back(A), B, C], C, ["2.0", "1.0"]),
        ("an older one that is released anew has what it replaced before it", [A, B, A], A, ["2.0"]),
        ("gone to by its name, what was left counts from where it was", [A, B, C, back(A), back(C)], C, ["1.0"]),
        ("and what is newer than it does not", [A, B, C, back(A), D, back(B)], B, ["1.0"]),
        ("other kinds change nothing", [A, B, *(record("2.0", k) for k in ("restart", "scale", "rotation"))], B, ["1.0"]),
        ("a restart tells what serves, however it came to", [A, B, C, record("2.0", "restart")], B, ["1.0"]),
        ("kinds without an image neither", [A, B, record("", "hosts"), record("", "upgrade")], B, ["1.0"]),
        ("failed and aborted ones neither", [A, B, record("3.0", outcome="failed"), ABORT], B, ["1.0"]),
        ("one that was interrupted and aborted", [A, B, record("3.0", outcome="interrupted")], B, ["1.0"]),
        ("one that was interrupted and serves", [A, B, record("3.0", outcome="interrupted")], C, ["2.0", "1.0"]),
        ("an older one that was interrupted and serves", [A, B, record("1.0", outcome="interrupted")], A, ["2.0"]),
        ("one that failed and was kept", [A, B, kept(C), record("3.0", "restart")], C, ["2.0", "1.0"]),
        ("a rollback that was interrupted, and serves", [A, B, C, record("2.0", "rollback", "interrupted")], B, ["1.0"]),
        ("a rollback that was interrupted, then another release", [A, B, CUT_OFF, C], C, ["1.0"]),
        ("a rollback that was aborted, then another release", [A, B, CUT_OFF, ABORT, C], C, ["2.0", "1.0"]),
        ("a rollback that failed and went back", [A, B, record("1.0", "rollback", "failed"), C], C, ["2.0", "1.0"]),
        ("what was interrupted and served nowhere", [A, B, NOWHERE, back(B)], B, ["1.0"]),
        ("one of which the history knows nothing", [A, B], C, ["2.0", "1.0"]),
        ("a rollback to one of which it knows nothing", [B, back(A)], A, []),
        ("nothing else was ever released", [A, A], A, []),
    ],
)  # fmt: skip
def test_a14_a34_the_release_before(why: str, records: list[Record], serving: Record, expected: list[str]) -> None:
    assert way(records, serving) == expected, why


def test_a14_one_image_under_two_tags_is_one_release() -> None:
    digest = "@sha256:" + "d" * 64
    one, two = record("1.1", image=f"app:1.1{digest}"), record("stable", image=f"app:stable{digest}")
    assert way([A, one, two], two) == ["1.0"]
    with pytest.raises(OperatorError, match=r"1\.1 serves already"):
        rollback.target([A, one, two], two.image, "1.1")


def test_a23_the_record_gone_back_to_is_the_one_that_released_it() -> None:
    released = dataclasses.replace(A, deploys="a" * 12)
    records = [released, dataclasses.replace(A, kind="restart", deploys="b" * 12), B]
    assert rollback.target(records, B.image) is released
    assert rollback.target(records, B.image, "1.0") is released
    assert rollback.target([records[1], B], B.image) is records[1], "unless the history no longer has it"


def test_a26_from_a_split_a_named_release_serves_nowhere_already() -> None:
    assert rollback.target([A, B], "", "2.0") is B


IMAGES = [record(f"{number}.0") for number in range(1, 6)]
ACTIONS = ("release", "cutover", "failed", "kept", "cut off", "cut off and serves", "abort", "restart", "scale", "maintenance")


@given(
    st.lists(st.tuples(st.sampled_from((*ACTIONS, "back", "back", "back, cut off", "back to")), st.integers(0, 4)), max_size=30)
)
def test_a14_a34_going_back_never_returns_to_what_was_left_by_going_back(actions: list[tuple[str, int]]) -> None:
    note(actions)
    records: list[Record] = []
    was_served: list[Record] = []  # what served, one after the other
    settled: list[
        tuple[Record, set[str], dict[str, int]]
    ] = []  # all three when a deployment last ended well: an abort leads there
    left: set[str] = set()
    released: dict[str, int] = {}  # when each was released last

    def now(what: Record, ended_well: bool) -> None:
        was_served.append(next(one for one in IMAGES if one.image == what.image))
        if ended_well:
            settled.append((was_served[-1], set(left), dict(released)))

    def gone_back(to: Record, outcome: str) -> None:
        if released[to.image] < released[was_served[-1].image]:
            left.add(was_served[-1].image)
        left.discard(to.image)
        records.append(dataclasses.replace(back(to), outcome=outcome, serves={"web1": to.version}))
        now(to, outcome == "released")

    for moment, (action, number) in enumerate(actions):
        item = IMAGES[number]
        if not was_served and action not in ("release", "cutover"):
            continue
        if action in ("release", "cutover", "kept", "cut off and serves"):
            if settled and action in ("release", "cutover") and item is not was_served[-1]:
                released = dict(settled[-1][2])  # what was only tried in between was no release
            if not was_served or item is not was_served[-1]:
                released[item.image] = moment
            left.discard(item.image)
            outcome = {"kept": "failed", "cut off and serves": "interrupted"}.get(action, "released")
            kind = action if action == "cutover" else "release"
            given: dict[str, Any] = {"kind": kind, "outcome": outcome, "hosts": ("web1",), "serves": {"web1": item.version}}
            records.append(dataclasses.replace(item, **given))
            now(item, outcome == "released")
        elif action in ("failed", "cut off"):
            outcome = {"cut off": "interrupted"}.get(action, action)
            records.append(dataclasses.replace(item, outcome=outcome, serves={"web1": was_served[-1].version}))
        elif action == "abort":
            records.append(ABORT)
            was, left, released = copy.deepcopy(settled[-1])
            was_served.append(next(one for one in IMAGES if one.image == was.image))
        elif action in ("restart", "scale"):
            records.append(dataclasses.replace(was_served[-1], kind=action))
            settled.append((was_served[-1], set(left), dict(released)))
        elif action == "maintenance":
            records.append(record("", action))
        else:
            try:
                to = rollback.target(records, was_served[-1].image, item.version if action == "back to" else "")
            except OperatorError:
                continue
            if action != "back to":
                assert to.image not in left, "never to what was left by going back"
                assert to.image in {one.image for one in was_served[:-1]}, "to what did serve"
                assert released[to.image] < released[was_served[-1].image], "never forward"
            gone_back(to, "interrupted" if action == "back, cut off" else "released")


@pytest.mark.parametrize("wanted", ["1.0", A.image, A.image.removeprefix("sha256:")[:12], "run-1.0"])
def test_fr012_a_release_is_named_by_version_image_digest_or_run(wanted: str) -> None:
    assert rollback.target([A, B, C], C.image, wanted) is A


def test_fr012_what_cannot_be_gone_back_to_is_said() -> None:
    with pytest.raises(OperatorError, match=r"no release 9\.9 in the history; it has 3\.0, 2\.0, 1\.0"):
        rollback.target([A, B, C], C.image, "9.9")
    with pytest.raises(OperatorError, match=r"3\.0 serves already"):
        rollback.target([A, B, C], C.image, "3.0")
    with pytest.raises(OperatorError, match="there is no other"):
        rollback.target([], "x")
    many = [record(f"1.{number}") for number in range(12)]
    assert rollback.listing(many).endswith(" and 4 more")


FIRST = Migration("a1", "", (), "")
ADDS = Migration("b2", "a1", (), "")
BREAKS = Migration("c3", "b2", ("drop_column people.name",), "1.x reads people.name")
DROPS = Migration("d4", "c3", ("drop_table teams",), "")


def test_fr012_a_compatible_migration_is_no_obstacle() -> None:
    assert rollback.obstacles("1.0", (FIRST,), (FIRST, ADDS), "b2") == []
    assert rollback.obstacles("1.0", (FIRST, ADDS), (FIRST, ADDS), "b2") == []


def test_ec2_a_migration_the_old_image_cannot_live_with_is_named() -> None:
    (said,) = rollback.obstacles("1.0", (FIRST,), (FIRST, ADDS, BREAKS), "c3")
    assert said.startswith("1.0 cannot run on the present schema: migration c3 breaks versions before it (1.x reads people.name)")
    assert "Nothing was changed" in said
    assert "restore the database to the point before c3" in said
    both = rollback.obstacles("1.0", (FIRST,), (FIRST, ADDS, BREAKS, DROPS), "d4")
    assert "took something away (drop_table teams)" in both[1]


def test_ec2_a_migration_that_was_never_applied_is_no_obstacle() -> None:
    assert rollback.obstacles("1.0", (FIRST,), (FIRST, ADDS, BREAKS), "b2") == []
    assert len(rollback.obstacles("1.0", (FIRST,), (FIRST, ADDS, BREAKS), "of a newer image")) == 1


def test_a26_a_split_names_each_host_with_what_it_has() -> None:
    one, two = ("digest-1", "1.0"), ("digest-2", "2.0")
    assert agreement.split({}) == agreement.split({"web1": [one], "web2": [one, one], "web3": []}) == ""
    assert agreement.refusal({"web1": [one], "web2": [one]}) == ""
    said = "hosts serve different releases: web1 has 1.0, web2 has 1.0 and 2.0"
    assert agreement.split({"web1": [one], "web2": [one, one, two], "web3": []}) == said
    assert agreement.refusal({"web1": [one], "web2": [one, two]}) == f"{said}. {agreement.ways_out()}"
    same = {"web1": [("app:id-0123456789ab", "1.0")], "web2": [("5e1f" * 16, "1.0")]}
    assert agreement.split(same).endswith("web1 has 1.0 (0123456789ab), web2 has 1.0 (5e1f5e1f5e1f)")


def test_a23_what_serves_by_the_history_is_what_ended_well_last() -> None:
    assert served.now([A, B, record("3.0", outcome="failed"), record("", "maintenance")]) == B.image
    assert served.now([]) == ""
