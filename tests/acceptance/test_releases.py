"""Releases on real hosts, under load: they lose nothing, and whatever goes wrong is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import engine
from lab.client import Lab
from signupflow import archives
from signupflow.release.rollout import Step
from tests import releases
from tests.proofs import failing_releases, interrupted_releases, migrations, operating, release_order, unattended
from tests.proofs.releasing import must, nothing_to_do, release

pytestmark = pytest.mark.lab

OWN = "signupflow/app:local"
CASES = {case.name: case for case in failing_releases.CASES}


@pytest.fixture(scope="module")
def one(lab: Lab) -> Iterator[Lab]:
    """The single host; it ends on the project's own image, which other tests expect."""
    yield lab
    must(release(lab, OWN))


def test_fr011_only_the_layers_that_a_host_lacks_are_sent(cluster: Lab) -> None:
    image = releases.image("good", 1)
    must(release(cluster, image))
    sent = [path.name for path in archives.DIRECTORY.glob(f"{str(engine.image_id(image)).removeprefix('sha256:')[:12]}*")]
    assert sent
    assert all("-above-" in name for name in sent), sent


def test_sc004_sc009_us5_1_us5_2_us5_4_ec1_a_release_under_load_fails_no_request(cluster: Lab) -> None:
    """Slow and long answers complete, streams come back, every acknowledged write is a row; what was printed was done."""
    release_order.ten_in_a_row(cluster, count=1, rate=25, least=0, compare_p99=False, app_rehearsal_seconds=1)


def test_fr012_a_rollback_under_load_fails_no_request(cluster: Lab) -> None:
    operating.rolled_back(cluster, rate=20)


def test_us5_3_us3_5_a_release_that_fails_is_taken_back(cluster: Lab) -> None:
    failing_releases.each_is_taken_back(cluster, rate=20, cases=(CASES["gets healthy and then answers 500"],), again=False)


@pytest.mark.long
def test_us2_4_ec2_a_release_that_cannot_begin_leaves_everything_as_it_was(one: Lab) -> None:
    cases = (CASES["migration fails half way"], CASES["image does not exist"])
    failing_releases.each_is_taken_back(one, rate=20, cases=cases, again=False)


@pytest.mark.long
def test_us3_5_fr012_a_failure_on_the_second_host_takes_the_first_back(cluster: Lab) -> None:
    failing_releases.second_host_fails(cluster, rate=20)


def test_a2_a3_a_second_host_that_is_lost_for_good_takes_the_first_back_with_nobody_there(cluster: Lab, tmp_path: Path) -> None:
    unattended.the_second_is_lost_for_good(cluster, tmp_path)


def test_ec5_of_two_deployments_at_once_one_runs(cluster: Lab) -> None:
    release_order.two_at_once(cluster)


def test_sc002_status_history_and_doctor_tell_what_is(cluster: Lab) -> None:
    operating.looked_at(cluster)


@pytest.mark.long
def test_us5_3_a_run_killed_in_the_shift_is_finished_by_the_next(cluster: Lab) -> None:
    interrupted_releases.killed_at_each_step(cluster, (Step.SHIFT,), rate=20)


@pytest.mark.long
def test_us3_5_a_run_that_was_killed_is_aborted(one: Lab) -> None:
    interrupted_releases.aborted(one, (Step.STOP,), rate=20)


@pytest.mark.long
def test_us2_3_fr005_a_release_migrates_the_schema_and_the_one_before_still_runs(one: Lab) -> None:
    migrations.expand(one, rate=20)


def test_sc004_a_host_that_takes_no_ssh_is_an_error_before_the_start(one: Lab) -> None:
    must(release(one, OWN))
    with interrupted_releases.no_ssh(one, [one.the("edge")]):
        done = release(one, releases.image("good", 2))
    assert done.code != 0
    assert not done.steps
    nothing_to_do(one, OWN)
