"""Backups on the host: they run by themselves, are proven, come back to any second, and are told of when they fail."""

from __future__ import annotations

import pytest

from lab.client import Lab
from tests.proofs.backups import copies, daily, faults, restores

pytestmark = pytest.mark.lab


def test_us6_1_fr007_sc005_sec003_a_daily_backup_runs_by_itself_and_is_encrypted(lab: Lab) -> None:
    daily.runs_by_itself(lab)


def test_us6_2_fr008_a_dropped_table_is_back_as_it_was_a_second_before(lab: Lab) -> None:
    restores.to_the_second_before(lab)


def test_fr008_one_table_comes_back_beside_the_live_one(lab: Lab) -> None:
    restores.one_table(lab)


def test_fr008_what_lies_before_a_missing_segment_never_passes_for_the_last_change(lab: Lab) -> None:
    restores.a_hole_is_told(lab)


def test_fr008_production_is_not_replaced_unasked(lab: Lab) -> None:
    restores.asks_first(lab)


def test_us6_3_old_dumps_go_once_a_newer_one_is_proven(lab: Lab) -> None:
    daily.old_dumps_go(lab)


@pytest.mark.parametrize("name", [pytest.param("credentials wrong", marks=pytest.mark.long), "container gone"])
def test_us6_4_a_backup_that_fails_is_told_once_and_expires_nothing(lab: Lab, name: str) -> None:
    faults.faulty(lab, next(fault for fault in faults.FAULTS if fault.name == name))


def test_fr008_the_monthly_drill_restores_the_newest_backup(lab: Lab) -> None:
    daily.drilled(lab)


def test_ec4_a_copy_for_staging_has_nobody_in_it(lab: Lab) -> None:
    copies.sanitised(lab)
