"""Does a restored database fit the live one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup import verify
from backup.verify import Contents, between

LIVE = Contents({"people": 100, "events": 40, "alembic_version": 1}, "9f3a")


def changed(revision: str = "9f3a", **rows: int) -> Contents:
    return Contents({**LIVE.rows, **rows}, revision)


def test_fr008_a_restored_database_with_the_live_rows_is_right() -> None:
    assert between(LIVE, LIVE, LIVE) == []
    assert LIVE.total == 141


@pytest.mark.parametrize("rows", [99, 101, 0])
def test_fr008_a_table_that_nobody_changed_must_have_exactly_its_rows(rows: int) -> None:
    assert between(LIVE, LIVE, changed(people=rows)) == [f"table people has {rows} rows, the live one 100"]


# Counted 100 before and 110 after: 90 to 120 fit.
@pytest.mark.parametrize(("rows", "fits"), [(89, False), (90, True), (105, True), (120, True), (121, False)])
def test_fr008_a_table_that_changed_may_be_off_by_as_much_again(rows: int, fits: bool) -> None:
    assert (between(LIVE, changed(people=110), changed(people=rows)) == []) is fits
    assert (between(changed(people=110), LIVE, changed(people=rows)) == []) is fits, "and where rows were deleted"


def test_fr008_a_missing_table_is_named_and_a_dropped_one_is_not_missed() -> None:
    without = Contents({"events": 40, "alembic_version": 1}, "9f3a")
    assert between(LIVE, LIVE, without) == ["table people is missing"]
    assert between(LIVE, without, LIVE) == []
    # Nobody counted it before it was made: all of it must be there.
    assert between(without, LIVE, LIVE) == []
    assert between(without, LIVE, changed(people=99)) == ["table people has 99 rows, the live one 100"]


def test_fr008_the_schema_is_the_live_ones_of_before_or_after() -> None:
    migrated = changed("b210")
    assert between(LIVE, migrated, LIVE) == between(LIVE, migrated, migrated) == []
    assert between(LIVE, LIVE, migrated) == ["schema b210, the live one is at 9f3a"]
    assert between(LIVE, LIVE, changed("")) == ["schema none, the live one is at 9f3a"]


@given(st.integers(0, 9), st.integers(0, 9), st.data())
def test_fr008_what_was_there_at_any_moment_in_between_fits(before: int, after: int, data: st.DataObject) -> None:
    moment = data.draw(st.integers(min(before, after), max(before, after)))
    assert between(changed(people=before), changed(people=after), changed(people=moment)) == []


def asked(answers: dict[str, str]) -> Callable[[str, str], str]:
    return lambda sql, database: answers[sql + database]


def test_fr008_rows_of_every_table_are_counted_and_the_revision_is_asked_where_there_is_one() -> None:
    counted = verify.COUNTS + "signupflow"
    full = asked({counted: "alembic_version 1\npeople 100\nwith a space 3", verify.REVISION + "signupflow": "9f3a"})
    assert verify.contents(full, "signupflow") == Contents({"alembic_version": 1, "people": 100, "with a space": 3}, "9f3a")
    # Before the first migration there is no such table to ask.
    assert verify.contents(asked({counted: "people 100"}), "signupflow") == Contents({"people": 100}, "")
    assert verify.contents(asked({counted: ""}), "signupflow") == Contents({}, "")
