"""The operator's day on real hosts: going back, restarting, scaling, kept plans, the maintenance page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.client import Lab
from tests.proofs import operating, rotating
from tests.proofs.releasing import must, release

pytestmark = pytest.mark.lab

OWN = "signupflow/app:local"


@pytest.fixture(scope="module")
def one(lab: Lab) -> Iterator[Lab]:
    """The single host; it ends on the project's own image, which other tests expect."""
    yield lab
    must(release(lab, OWN))


@pytest.mark.long
def test_fr012_a_rollback_after_a_compatible_migration_fails_no_request(cluster: Lab) -> None:
    operating.rolled_back_after_a_migration(cluster, rate=20)


@pytest.mark.long
def test_fr012_ec2_a_rollback_across_a_breaking_migration_is_refused(one: Lab) -> None:
    operating.rollback_refused(one)


@pytest.mark.long
def test_us5_1_a_restart_fails_no_request(cluster: Lab) -> None:
    operating.restarted(cluster, rate=20)


def test_us8_2_us8_4_scaling_out_and_in_fails_no_request(one: Lab) -> None:
    operating.scaled(one, OWN, rate=20, faults=False)


@pytest.mark.long
def test_fr009_a_plan_runs_only_when_nothing_has_changed(one: Lab, tmp_path: Path) -> None:
    operating.plans_are_kept(one, tmp_path)


def test_us7_1_the_maintenance_page_leaves_health_visible(cluster: Lab) -> None:
    operating.maintained(cluster)


@pytest.mark.long
def test_sec006_each_kind_of_secret_is_replaced_under_load(one: Lab) -> None:
    rotating.each_under_load(one, rate=20, kinds=("database", "ssh-key", "age-key"), turns=1)
