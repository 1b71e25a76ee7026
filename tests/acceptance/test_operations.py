"""The operator's day on real hosts: going back, restarting, scaling, kept plans, the maintenance page, looking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab_client import Lab
from tests.proofs import operating, rotating
from tests.proofs.releasing import must, release

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def one(lab: Lab) -> Iterator[Lab]:
    """The single host; it ends on the project's own image, which other tests expect."""
    yield lab
    must(release(lab, "signupflow/app:local"))


def test_fr012_a_rollback_under_load_fails_no_request(cluster: Lab) -> None:
    operating.rolled_back(cluster, rate=20)


@pytest.mark.long
def test_fr012_ec2_a_rollback_across_a_breaking_migration_is_refused(one: Lab) -> None:
    operating.rollback_refused(one)


def test_us5_1_us8_2_us8_4_a_restart_and_scaling_fail_no_request(cluster: Lab) -> None:
    operating.restarted(cluster, rate=20)


@pytest.mark.long
def test_fr009_a_plan_runs_only_when_nothing_has_changed(one: Lab, tmp_path: Path) -> None:
    operating.plans_are_kept(one, tmp_path)


def test_us7_1_the_maintenance_page_leaves_health_visible(cluster: Lab) -> None:
    operating.maintained(cluster)


def test_sc002_status_history_and_doctor_tell_what_is(cluster: Lab) -> None:
    operating.looked_at(cluster)


@pytest.mark.long
def test_sec006_each_kind_of_secret_is_replaced_under_load(one: Lab) -> None:
    rotating.each_under_load(one, rate=20, kinds=("database", "ssh-key", "age-key"), turns=1)
