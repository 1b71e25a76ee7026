"""Releases on real hosts, under load: they lose nothing, and whatever goes wrong is rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import engine
from lab.client import Lab
from signupflow import archives
from signupflow.release.rollout import Step
from tests import releases
from tests.evidence.plugin import Evidence, Short
from tests.proofs import failing_releases, interrupted_releases, migrations, operating, release_order, unattended
from tests.proofs.releasing import must, nothing_to_do, release

pytestmark = pytest.mark.lab

OWN = "signupflow/app:local"
ASKED_RATE = 150
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
    release_order.ten_in_a_row(cluster, count=1, rate=25, least=0, compare_p99=False, app_soak_seconds=1)


@pytest.mark.full
@pytest.mark.proof("releases")
def test_sc004_sc009_ec1_ten_releases_in_a_row_fail_no_request(cluster: Lab, evidence: Evidence) -> None:
    """At half the rate that was asked: the traffic of that one alone takes this machine, as the evidence shows."""
    asked = {"rate_asked": ASKED_RATE, "share_of_the_machine_busy_at_that_rate": release_order.busy_at(cluster, ASKED_RATE)}
    settings: dict[str, Any] = {"app_soak_seconds": 3, "app_shift_weights": [10, 50], "app_bake_seconds": 3}
    evidence(release_order.ten_in_a_row(cluster, rate=ASKED_RATE / 2, beside=asked, **settings))


@pytest.mark.full
@pytest.mark.proof("failing-releases")
def test_us5_3_us3_5_us2_4_ec2_a_release_that_fails_in_any_way_is_rolled_back(three: Lab, evidence: Evidence) -> None:
    evidence(failing_releases.each_is_rolled_back(three, rate=60))


def test_fr012_a_rollback_under_load_fails_no_request(cluster: Lab) -> None:
    operating.rolled_back(cluster, rate=20)


def test_us5_3_us3_5_a_release_that_fails_is_rolled_back(cluster: Lab) -> None:
    failing_releases.each_is_rolled_back(cluster, rate=20, cases=(CASES["gets healthy and then answers 500"],), again=False)


@pytest.mark.long
def test_us2_4_ec2_a_release_that_cannot_begin_leaves_everything_as_it_was(one: Lab) -> None:
    cases = (CASES["migration fails half way"], CASES["image does not exist"])
    failing_releases.each_is_rolled_back(one, rate=20, cases=cases, again=False)


@pytest.mark.long
@pytest.mark.proof("second-host")
def test_us3_5_fr012_a_failure_on_the_second_host_rolls_the_first_back(three: Lab, short: Short, evidence: Evidence) -> None:
    evidence(failing_releases.second_host_fails(three, **short(rate=20)))


@pytest.mark.long
@pytest.mark.proof("unattended-lost")
def test_a2_a3_a_second_host_that_is_lost_for_good_rolls_the_first_back(cluster: Lab, tmp_path: Path, evidence: Evidence) -> None:
    """With nobody there to answer, on a terminal."""
    evidence(unattended.the_second_is_lost_for_good(cluster, tmp_path))


@pytest.mark.full
@pytest.mark.proof("unattended")
def test_a2_us3_5_a_second_host_that_fails_rolls_the_first_back_with_nobody_there(three: Lab, evidence: Evidence) -> None:
    evidence(unattended.the_second_fails(three))


@pytest.mark.long
@pytest.mark.proof("two-deployments")
def test_ec5_of_two_deployments_at_once_one_runs(cluster: Lab, evidence: Evidence) -> None:
    evidence(release_order.two_at_once(cluster))


@pytest.mark.full
@pytest.mark.proof("order")
def test_fr013_the_inventorys_order_is_kept(three: Lab, evidence: Evidence) -> None:
    evidence(release_order.order_is_kept(three))


@pytest.mark.full
@pytest.mark.proof("plan")
def test_fr013_the_steps_that_are_printed_are_the_steps_that_are_taken(three: Lab, evidence: Evidence) -> None:
    evidence(release_order.plan_is_what_is_done(three))


@pytest.mark.full
@pytest.mark.proof("turn")
def test_fr013_a_hosts_rollout_in_parts(cluster: Lab, evidence: Evidence) -> None:
    evidence(release_order.a_turn_in_parts(cluster))


@pytest.mark.proof("looking")
def test_sc002_status_history_and_doctor_tell_what_is(cluster: Lab, evidence: Evidence) -> None:
    evidence(operating.looked_at(cluster))


@pytest.mark.long
@pytest.mark.proof("killed-releases")
def test_us5_3_a_run_that_was_killed_is_finished_by_the_next(cluster: Lab, short: Short, evidence: Evidence) -> None:
    """In the shift; in full at each step."""
    evidence(interrupted_releases.killed_at_each_step(cluster, **short(steps=(Step.SHIFT,))))


@pytest.mark.long
def test_us3_5_a_run_that_was_killed_is_aborted(one: Lab) -> None:
    interrupted_releases.aborted(one, (Step.STOP,), rate=20)


@pytest.mark.full
@pytest.mark.proof("aborted-releases")
def test_us3_5_a_run_that_was_cut_off_is_aborted_on_every_host(cluster: Lab, evidence: Evidence) -> None:
    evidence(interrupted_releases.aborted(cluster))


@pytest.mark.full
@pytest.mark.proof("rebooted")
def test_us8_3_a_host_that_loses_power_in_its_rollout_serves_one_generation(cluster: Lab, evidence: Evidence) -> None:
    evidence(interrupted_releases.rebooted_in_its_turn(cluster))


@pytest.mark.full
@pytest.mark.proof("no-ssh")
def test_us5_3_ssh_cut_in_each_step_is_survived_or_rolled_back(cluster: Lab, evidence: Evidence) -> None:
    evidence(interrupted_releases.without_ssh_at_each_step(cluster))


@pytest.mark.long
def test_us2_3_fr005_a_release_migrates_the_schema_and_the_one_before_still_runs(one: Lab) -> None:
    migrations.expand(one, rate=20)


@pytest.mark.full
@pytest.mark.proof("migrations")
def test_us2_3_fr005_a_schema_change_goes_out_to_every_host_under_load(cluster: Lab, evidence: Evidence) -> None:
    evidence(migrations.expand(cluster))


@pytest.mark.long
def test_sc004_a_host_that_takes_no_ssh_is_an_error_before_the_start(one: Lab) -> None:
    must(release(one, OWN))
    with interrupted_releases.no_ssh(one, [one.the("edge")]):
        done = release(one, releases.image("good", 2))
    assert done.code != 0
    assert not done.steps
    nothing_to_do(one, OWN)
