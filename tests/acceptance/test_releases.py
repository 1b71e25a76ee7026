"""Releases on the cluster's real hosts, under load: they lose nothing, and whatever goes wrong is taken back."""

from __future__ import annotations

import pytest

from signupflow.release.turn import Step
from tests.lab_client import Lab
from tests.proofs import failing_releases, interrupted_releases, migrations, release_order
from tests.proofs.releasing import must, nothing_to_do, release

pytestmark = pytest.mark.lab

CASES = {case.name: case for case in failing_releases.CASES}


def test_sc004_sc009_us5_1_us5_2_us5_4_ec1_a_release_under_load_fails_no_request(cluster: Lab) -> None:
    """In flight, slow and long answers complete, streams come back, every acknowledged write is a row."""
    release_order.ten_in_a_row(cluster, count=1, rate=60, least=0, compare_p99=False)


def test_fr013_a_dry_run_prints_the_steps_that_the_run_takes_in_order(cluster: Lab) -> None:
    release_order.plan_is_what_is_done(cluster)


@pytest.mark.parametrize(
    "name", ["dies at its start", "gets healthy and then answers 500", "migration fails half way", "pinned image does not exist"]
)
def test_us5_3_us3_5_us2_4_ec2_a_release_that_fails_is_taken_back(cluster: Lab, name: str) -> None:
    failing_releases.each_is_taken_back(cluster, rate=40, cases=(CASES[name],), again=False)


def test_us3_5_fr012_a_failure_on_the_second_host_takes_the_first_back(cluster: Lab) -> None:
    failing_releases.second_host_fails(cluster, rate=40)


def test_ec5_of_two_deployments_at_once_one_runs(cluster: Lab) -> None:
    release_order.two_at_once(cluster)


def test_us5_3_a_run_killed_in_the_shift_is_finished_by_the_next(cluster: Lab) -> None:
    interrupted_releases.killed_at_each_step(cluster, (Step.SHIFT,))


def test_us3_5_a_run_killed_on_the_second_host_is_aborted(cluster: Lab) -> None:
    interrupted_releases.aborted(cluster, (Step.STOP,))


def test_us2_3_fr005_a_release_migrates_the_schema_and_the_one_before_still_runs(cluster: Lab) -> None:
    migrations.expand(cluster)


def test_us8_4_fr027_the_cluster_ends_on_the_projects_own_image(cluster: Lab) -> None:
    """Back to what the other tests expect; a release from the test image to the application's."""
    must(release(cluster, "signupflow/app:local"))
    nothing_to_do(cluster, "signupflow/app:local")
