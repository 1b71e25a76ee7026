"""Fixtures of `make test`: one lab for the session, and a cluster; started bare, deployed to once, taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.client import Lab
from tests.labs import CERTIFICATES, MARK, bare
from tests.proofs import convergence

NAME, CLUSTER = f"test{MARK}", f"clus{MARK}"


@pytest.fixture(scope="session")
def bare_lab() -> Iterator[Lab]:
    """The single topology."""
    yield from bare(NAME, *CERTIFICATES)


@pytest.fixture(scope="session")
def first_deploy(bare_lab: Lab) -> dict[str, Any]:
    """Evidence of the way from the bare host to the app: dry run, run, and what differed."""
    convergence.bootstrap(bare_lab)
    return convergence.dry_run_is_exact(bare_lab, keep=bare_lab.first_output)


@pytest.fixture(scope="session")
def lab(bare_lab: Lab, first_deploy: dict[str, Any]) -> Lab:
    """The lab with SignUpFlow deployed and healthy."""
    for domain in bare_lab["domains"]:
        bare_lab.wait_for_health(domain, seconds=60)
    return bare_lab


@pytest.fixture(scope="session")
def bare_cluster(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A host with edge and database, and two app hosts; and a spare, when a test that is to run adds it.

    Each host takes a minute of a core to become what it is; with `--full` edge and database have one each.
    """
    spare = any("spare" in getattr(item, "fixturenames", ()) for item in request.session.items)
    yield from bare(CLUSTER, "--topology", "small-cluster", "--hosts", "4" if spare else "3")


@pytest.fixture(scope="session")
def first_cluster_deploy(bare_cluster: Lab) -> dict[str, Any]:
    convergence.bootstrap(bare_cluster)
    return convergence.dry_run_is_exact(bare_cluster)


@pytest.fixture(scope="session")
def cluster(bare_cluster: Lab, first_cluster_deploy: dict[str, Any]) -> Lab:
    """The cluster with SignUpFlow deployed and healthy."""
    for domain in bare_cluster["domains"]:
        bare_cluster.wait_for_health(domain, seconds=60)
    return bare_cluster


@pytest.fixture
def three(cluster: Lab) -> Lab:
    """With `--full` it has a third app host; two show the same in less time."""
    return cluster


@pytest.fixture
def spare(cluster: Lab) -> str:
    """The cluster's host that has no role."""
    return cluster.holding("spare")[0]
