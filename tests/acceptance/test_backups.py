"""Backups on the host: they run by themselves, are proven, come back to any second, and are told of when they fail."""

from __future__ import annotations

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence, Short
from tests.proofs.backups import copies, daily, faults, kills, passphrase, restores, retention, speed, writers

pytestmark = pytest.mark.lab

# Two of them are enough for `make test` and `make test-long`.
MARKS = {"credentials wrong": [pytest.mark.long], "container gone": []}
FAULTS = [
    pytest.param(fault, id=fault.name, marks=MARKS.get(fault.name, [pytest.mark.full]))
    for fault in faults.FAULTS
]  # fmt: skip


@pytest.mark.proof("daily-backup", part="run")
def test_us6_1_fr007_sc005_sec003_a_daily_backup_runs_by_itself_and_is_encrypted(lab: Lab, evidence: Evidence) -> None:
    evidence(daily.runs_by_itself(lab))


@pytest.mark.proof("point-in-time")
def test_us6_2_fr008_a_dropped_table_is_back_as_it_was_a_second_before(lab: Lab, evidence: Evidence) -> None:
    evidence(restores.to_the_second_before(lab))


@pytest.mark.full
@pytest.mark.proof("backup-passphrase")
def test_c6_sec006_the_passphrase_is_replaced_and_a_good_backup_is_never_missing(lab: Lab, evidence: Evidence) -> None:
    evidence(passphrase.replaced(lab))


@pytest.mark.long
@pytest.mark.proof("restore-writers")
def test_c1_c2_what_is_acknowledged_through_restores_and_kills_is_there_or_named(
    lab: Lab, evidence: Evidence, short: Short
) -> None:
    windows = short(to_the_last=("nothing is written any more",), to_a_moment=("the restored cluster is in place",))
    evidence(writers.written_to(lab, **windows))


@pytest.mark.proof("daily-backup", part="one_table")
def test_fr008_one_table_comes_back_beside_the_live_one(lab: Lab, evidence: Evidence) -> None:
    evidence(restores.one_table(lab))


@pytest.mark.proof("point-in-time", part="a_segment_gone")
def test_fr008_what_lies_before_a_missing_segment_never_passes_for_the_last_change(lab: Lab, evidence: Evidence) -> None:
    evidence(restores.a_hole_is_told(lab))


@pytest.mark.proof("daily-backup", part="asks_first")
def test_fr008_production_is_not_replaced_unasked(lab: Lab, evidence: Evidence) -> None:
    evidence(restores.asks_first(lab))


@pytest.mark.full
@pytest.mark.proof("daily-backup", part="restore_point")
def test_us6_2_a_restore_point_is_reached_by_its_name(lab: Lab, evidence: Evidence) -> None:
    evidence(restores.to_a_restore_point(lab))


@pytest.mark.proof("daily-backup", part="old_dumps")
def test_us6_3_old_dumps_go_once_a_newer_one_is_proven(lab: Lab, evidence: Evidence) -> None:
    evidence(daily.old_dumps_go(lab))


@pytest.mark.proof("backup-faults")
@pytest.mark.parametrize("fault", FAULTS)
def test_us6_4_a_backup_that_fails_is_told_once_and_expires_nothing(lab: Lab, fault: faults.Fault, evidence: Evidence) -> None:
    evidence(faults.faulty(lab, fault))


@pytest.mark.long
@pytest.mark.proof("daily-backup", part="drill")
def test_fr008_the_monthly_drill_restores_the_newest_backup(lab: Lab, evidence: Evidence) -> None:
    evidence(daily.drilled(lab))


@pytest.mark.long
def test_ec4_a_copy_for_staging_has_nobody_in_it(lab: Lab) -> None:
    copies.sanitised(lab)


@pytest.mark.full
@pytest.mark.proof("staging-copy")
def test_ec4_real_data_restored_to_staging_has_nobody_in_it(production_and_staging: tuple[Lab, Lab], evidence: Evidence) -> None:
    evidence(copies.to_staging(*production_and_staging))


@pytest.mark.full
@pytest.mark.proof("backup-kills")
def test_us6_1_fr008_a_kill_at_any_moment_loses_nothing(lab: Lab, evidence: Evidence) -> None:
    evidence(kills.at_random_moments(lab))


@pytest.mark.full
@pytest.mark.proof("backup-kills", part="way_back")
def test_fr008_a_restored_cluster_that_does_not_start_makes_way_for_the_previous_one(lab: Lab, evidence: Evidence) -> None:
    evidence(restores.way_back(lab))


@pytest.mark.full
@pytest.mark.proof("backup-speed")
def test_sc006_five_gigabytes_are_restored_in_time(lab: Lab, evidence: Evidence) -> None:
    evidence(speed.beside_others(lab))


@pytest.mark.full
@pytest.mark.proof("retention")
def test_us6_3_fr007_of_400_days_exactly_what_the_contract_keeps_is_kept(evidence: Evidence) -> None:
    evidence(retention.played())
