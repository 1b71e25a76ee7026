"""Fixtures of `pytest --full`: the labs of `shared` by the same names, deployed to anew for each proof, and what proofs need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.client import Lab
from tests.labs import CERTIFICATES, MARK, bare, down, up
from tests.proofs import convergence, healing, releasing

NAME, CLUSTER = f"prove{MARK}", f"provc{MARK}"
Start = Callable[[], Lab]


@pytest.fixture(scope="session")
def start_single() -> Iterator[Start]:
    """Starts the single topology, or finds it; away when the session ends."""
    yield lambda: up(NAME, *CERTIFICATES)
    down(NAME)


@pytest.fixture(scope="session")
def start_cluster() -> Iterator[Start]:
    """An edge, two app hosts, a database host and a spare."""
    yield lambda: up(CLUSTER, "--topology", "cluster", "--hosts", "5")
    down(CLUSTER)


@pytest.fixture
def bare_lab(start_single: Start) -> Lab:
    """A lab with nothing on its host but the OS."""
    down(NAME)
    return start_single()


@pytest.fixture
def fresh_lab(bare_lab: Lab) -> Lab:
    convergence.bootstrap(bare_lab)
    return bare_lab


@pytest.fixture
def first_deploy(fresh_lab: Lab) -> dict[str, Any]:
    return convergence.dry_run_is_exact(fresh_lab, keep=fresh_lab.first_output)


@pytest.fixture
def lab(start_single: Start) -> Lab:
    return _deployed(start_single())


def _deployed(found: Lab) -> Lab:
    convergence.bootstrap(found)
    found.pyinfra("-y")
    for domain in found["domains"]:
        found.wait_for_health(domain, seconds=60)
    return found


@pytest.fixture
def two_hosts(lab: Lab) -> Lab:
    """The single topology with a second, spare host."""
    return _deployed(up(NAME, *CERTIFICATES, "--hosts", "2"))


@pytest.fixture
def first_cluster_deploy(start_cluster: Start) -> dict[str, Any]:
    down(CLUSTER)
    found = start_cluster()
    convergence.bootstrap(found)
    return convergence.dry_run_is_exact(found)


@pytest.fixture
def cluster(start_cluster: Start) -> Lab:
    found = start_cluster()
    convergence.bootstrap(found)
    found.pyinfra("-y")
    healing.wait_until_whole(found)
    return found


@pytest.fixture
def three(cluster: Lab) -> Lab:
    """The cluster with a third app host, in an order that is not the alphabet's."""
    found = releasing.three_app_hosts(cluster)
    found.pyinfra("-y", *releasing.options(**releasing.QUICK))
    healing.wait_until_whole(found)
    return found


@pytest.fixture
def spare(cluster: Lab) -> str:
    return cluster.holding("spare")[0]


@pytest.fixture
def delivery_lab() -> Iterator[Lab]:
    """Staging and production are its two hosts."""
    yield from bare(f"deliv{MARK}", "--hosts", "2")


@pytest.fixture
def another_lab() -> Iterator[Lab]:
    """A host for another app than ours, which takes no host that has one."""
    for found in bare(f"other{MARK}"):
        convergence.bootstrap(found)
        yield found


@pytest.fixture
def production_and_staging() -> Iterator[tuple[Lab, Lab]]:
    """Two environments of one host each; production is deployed to, staging has nothing on it yet."""
    names = (f"from{MARK}", f"to{MARK}")
    try:
        for name in names:
            down(name)
            convergence.bootstrap(up(name))
        production, staging = (Lab.running(name) for name in names)
        production.pyinfra("-y")
        yield production, staging
    finally:
        for name in names:
            down(name)
