"""Where a rollback goes, and when the schema forbids it."""

from __future__ import annotations

import pytest

from signupflow.errors import OperatorError
from signupflow.release import rollback
from signupflow.release.ledger import Record
from signupflow.release.schema import Migration

pytestmark = pytest.mark.whole


def record(version: str, kind: str = "release", outcome: str = "released", image: str = "") -> Record:
    image = image or "sha256:" + version.replace(".", "") * 16
    return Record("run-" + version, "app", version, image, "s", "ada", "", "t", 1, outcome, "", (), (), None, {}, kind=kind)


A, B, C = record("1.0"), record("2.0"), record("3.0")


def test_fr012_without_a_name_it_goes_to_the_release_before() -> None:
    assert rollback.target([A, B, C], C.image) is B
    assert rollback.target([A, B, record("2.0", "restart"), C], C.image).version == "2.0"
    assert rollback.target([A, B, record("2.5", outcome="failed"), C], C.image) is B
    maintained = record("", kind="maintenance", image=" ")
    assert rollback.target([A, B, C], "sha256:of nobody") is C
    assert rollback.target([A, B, C, maintained], C.image) is B


def test_fr012_a_second_rollback_goes_further_back_and_never_to_what_was_left() -> None:
    assert rollback.target([A, B, C, record("2.0", "rollback")], B.image) is A
    with pytest.raises(OperatorError, match=r"no release before the one that serves; it has 1\.0, 2\.0"):
        rollback.target([A, B, record("1.0", "rollback")], A.image)


@pytest.mark.parametrize("wanted", ["1.0", A.image, A.image.removeprefix("sha256:")[:12], "run-1.0"])
def test_fr012_a_release_is_named_by_version_image_digest_or_run(wanted: str) -> None:
    assert rollback.target([A, B, C], C.image, wanted) is A


def test_fr012_what_cannot_be_gone_back_to_is_said() -> None:
    with pytest.raises(OperatorError, match=r"no release 9\.9 in the history; it has 3\.0, 2\.0, 1\.0"):
        rollback.target([A, B, C], C.image, "9.9")
    with pytest.raises(OperatorError, match=r"3\.0 serves already"):
        rollback.target([A, B, C], C.image, "3.0")
    with pytest.raises(OperatorError, match="it has none"):
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
