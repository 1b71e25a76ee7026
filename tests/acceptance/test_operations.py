"""The operator's day on real hosts: going back, restarting, scaling, kept plans, the maintenance page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.client import Lab
from tests import releases
from tests.evidence.plugin import Evidence, Short
from tests.proofs import operating, reporting, rotating
from tests.proofs.releasing import must, release

pytestmark = pytest.mark.lab

OWN = "signupflow/app:local"


@pytest.fixture(scope="module")
def one(lab: Lab) -> Iterator[Lab]:
    """The single host; it ends on the project's own image, which other tests expect."""
    yield lab
    must(release(lab, OWN))


@pytest.mark.long
@pytest.mark.proof("rollback")
def test_fr012_a_rollback_after_a_compatible_migration_fails_no_request(cluster: Lab, short: Short, evidence: Evidence) -> None:
    evidence(operating.rolled_back_after_a_migration(cluster, **short(rate=20)))


@pytest.mark.long
def test_fr012_ec2_a_rollback_across_a_breaking_migration_is_refused(one: Lab) -> None:
    operating.rollback_refused(one)


@pytest.mark.full
@pytest.mark.proof("rollback", part="incompatible")
def test_fr012_ec2_a_rollback_across_a_breaking_migration_is_refused_on_every_host(cluster: Lab, evidence: Evidence) -> None:
    evidence(operating.rollback_refused(cluster))


@pytest.mark.long
@pytest.mark.proof("restart", part="restart")
def test_us5_1_a_restart_fails_no_request(cluster: Lab, short: Short, evidence: Evidence) -> None:
    evidence(operating.restarted(cluster, **short(rate=20)))


@pytest.mark.long
def test_us8_2_us8_4_scaling_out_and_in_fails_no_request(one: Lab) -> None:
    operating.scaled(one, OWN, rate=20, faults=False)


@pytest.mark.full
@pytest.mark.proof("restart", part="scaling")
def test_us8_2_us8_4_scaling_every_host_fails_no_request(cluster: Lab, evidence: Evidence) -> None:
    evidence(operating.scaled(cluster, releases.image("good", 1)))


@pytest.mark.long
def test_fr009_a_plan_runs_only_when_nothing_has_changed(one: Lab, tmp_path: Path) -> None:
    operating.plans_are_kept(one, tmp_path)


@pytest.mark.full
@pytest.mark.proof("kept-plans")
def test_fr009_a_plan_for_every_host_runs_only_when_nothing_has_changed(cluster: Lab, tmp_path: Path, evidence: Evidence) -> None:
    evidence(operating.plans_are_kept(cluster, tmp_path))


@pytest.mark.proof("maintenance")
def test_us7_1_the_maintenance_page_leaves_health_visible(cluster: Lab, evidence: Evidence) -> None:
    evidence(operating.maintained(cluster))


@pytest.mark.full
@pytest.mark.proof("upgrades")
def test_sc004_upgrades_under_load_cost_what_is_measured(cluster: Lab, evidence: Evidence) -> None:
    evidence(operating.upgraded(cluster))


@pytest.mark.full
@pytest.mark.proof("reports")
def test_sc002_a_release_and_a_failed_one_leave_a_report(cluster: Lab, evidence: Evidence) -> None:
    evidence(reporting.pages_of_two_releases(cluster))


@pytest.mark.long
def test_sec006_each_kind_of_secret_is_replaced_under_load(one: Lab) -> None:
    rotating.each_under_load(one, rate=20, kinds=("database", "ssh-key", "age-key"), turns=1)


@pytest.mark.full
@pytest.mark.proof("rotations")
def test_sec006_every_kind_of_secret_is_replaced_under_load_on_every_host(cluster: Lab, evidence: Evidence) -> None:
    evidence(rotating.each_under_load(cluster))
