"""Roles on several hosts: two app hosts; edge and database on another, or with `--full` on one each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.client import Lab
from lab.compare import done
from tests.evidence.plugin import Evidence, Short
from tests.load import Load
from tests.proofs import convergence, database_access, healing, hosts

pytestmark = [
    pytest.mark.lab,
    # Connections of the load that a fault broke off are found by the garbage collector, in whichever test runs then.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.proof("cluster-dry-run")
def test_us8_1_a_dry_run_of_bare_hosts_announces_exactly_what_the_run_does(
    first_cluster_deploy: dict[str, Any], evidence: Evidence
) -> None:
    evidence(first_cluster_deploy)
    assert first_cluster_deploy["announced_and_done"] > 40


@pytest.mark.proof("cluster-second-run")
def test_us8_1_a_second_run_changes_nothing_on_any_host(cluster: Lab, evidence: Evidence) -> None:
    evidence(convergence.second_run_changes_nothing(cluster))


def test_us8_1_fr024_fr025_app_hosts_share_the_load(cluster: Lab) -> None:
    before = {host: hosts.answered(cluster, host) for host in cluster.holding("app")}
    with Load(cluster, rate=40, seconds=5, calls=healing.mixed(cluster)) as load:
        load.wait()
    after = {host: hosts.answered(cluster, host) - before[host] for host in cluster.holding("app")}
    assert load.report.failed == 0, load.report
    assert len(after) == 2
    assert all(count > load.report.sent / 4 for count in after.values()), after


@pytest.mark.proof("database-access")
def test_sec005_postgresql_answers_the_app_and_nobody_else(cluster: Lab, evidence: Evidence) -> None:
    evidence(database_access.only_the_app_is_answered(cluster))


def test_us1_2_fr026_sc008_a_killed_replica_costs_only_what_it_had_taken(cluster: Lab) -> None:
    healing.a_replica_dies(cluster, rate=25)


def test_us1_3_fr006_a_killed_postgresql_is_back_by_itself(cluster: Lab) -> None:
    """Also after a reload: one by `docker kill` would have ended Docker's restarts."""
    (fault,) = [fault for fault in healing.faults(cluster) if fault.name == "kill -9 of PostgreSQL"]
    healing.heals(cluster, fault, rate=20)


@pytest.mark.full
@pytest.mark.proof("healing")
def test_us1_2_sc008_whatever_dies_is_back_by_itself(cluster: Lab, evidence: Evidence) -> None:
    evidence(healing.everything_heals(cluster))


@pytest.mark.proof("cut-off")
def test_us8_3_a_host_that_is_cut_off_is_routed_around_and_taken_in_again(cluster: Lab, short: Short, evidence: Evidence) -> None:
    evidence(hosts.cut_off_and_back(cluster, **short(rate=25, seconds=12, failing=4.0)))


@pytest.mark.long
@pytest.mark.proof("scaling")
def test_us8_1_us8_4_a_third_app_host_is_added_and_removed_without_a_failed_request(
    cluster: Lab, spare: str, short: Short, evidence: Evidence
) -> None:
    evidence(hosts.added_and_removed(cluster, **short(rate=20)))
    assert not database_access.answers(cluster, spare), "PostgreSQL is closed to who left"


@pytest.mark.full
@pytest.mark.proof("growing")
def test_us8_1_a_single_host_becomes_two(two_hosts: Lab, evidence: Evidence) -> None:
    evidence(hosts.one_host_becomes_two(two_hosts))


@pytest.mark.long
def test_us5_3_after_the_first_unhealthy_host_no_other_is_touched(cluster: Lab) -> None:
    """Hosts are rolled out in the inventory's order; the one that fails keeps what served, the rest keep all."""
    before = containers(cluster)
    bad = ("--data", "app_stop_seconds=41", "--data", "app_health_path=/nothing", "--data", "app_start_seconds=5")
    with Load(cluster, rate=30, seconds=120) as load:
        failed = cluster.pyinfra("-y", "--json", *bad, check=False)
    steps = done(json.loads(failed.stdout), "error")
    assert failed.returncode != 0
    # pyinfra counts what a failed host no longer ran (the observation, the take-back) as its errors too.
    assert {step.host.split(".")[0] for step in steps} == {cluster.holding("app")[0]}, steps
    assert "/nothing answered 404, not 200" in failed.stderr
    assert containers(cluster) == before
    assert load.report.failed == 0, load.report
    convergence.second_run_changes_nothing(cluster)


def containers(lab: Lab) -> dict[str, list[str]]:
    command = "sudo docker ps --all --no-trunc --filter label=org.signupflow.app --format '{{.ID}}' | sort"
    return {host: lab.ssh(host, command).split() for host in lab.holding("app")}


@pytest.mark.parametrize(
    ("limit", "said"),
    [((), "name it with --limit"), (("--limit", "edge"), "not in group app"), (("--limit", "app"), "name it with --limit")],
)
def test_us8_4_removing_anything_but_one_app_host_is_refused(cluster: Lab, limit: tuple[str, ...], said: str) -> None:
    refused = cluster.pyinfra("-y", *limit, deploy="deploys/remove_host.py", check=False)
    assert refused.returncode != 0
    assert said in refused.stderr
    assert "Connecting" not in refused.stderr
