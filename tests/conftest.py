"""One lab for the whole session, and a cluster: started bare, deployed to once, taken away at the end.

KEEP_LAB=1 leaves it running and uses it again next time, for quick work on a test.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from lab.client import ROOT, Lab
from tests.proofs import convergence

# Of this clone alone: another clone's lab, and `make demo`'s, stay out of reach.
MARK = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
NAME, CLUSTER = f"test{MARK}", f"clus{MARK}"
os.environ["LAB_NAME"] = NAME

# Time is never asserted in a test: a busy machine would fail it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Shorter than Traefik's threshold of 20 minutes before expiry, so that every check (one a minute) renews.
CERTIFICATE_SECONDS = 900


# Fixtures of labs that are not the single host's: their tests are run by a second process beside it (scripts/test).
MANY_HOSTS = {"cluster", "bare_cluster", "two_bare_hosts"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs several hosts, so that `-m "lab and not cluster"` is the single host's."""
    for item in items:
        if MANY_HOSTS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cluster)


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def bare(name: str, *options: str) -> Iterator[Lab]:
    """A lab whose hosts have a fresh OS, with the images built and secrets made."""
    keep = bool(os.environ.get("KEEP_LAB"))
    if not keep:
        run("-m", "lab", "down", "--name", name)
    run("-m", "lab", "up", "--name", name, *options)
    lab = Lab.running(name)
    run("scripts/images.py", "build")
    lab.make_secrets()
    yield lab
    if not keep:
        run("-m", "lab", "down", "--name", name)


@pytest.fixture(scope="session")
def bare_lab() -> Iterator[Lab]:
    """The single topology."""
    yield from bare(NAME, "--certificate-lifetime", str(CERTIFICATE_SECONDS))


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
    """An edge, two app hosts and a database host; and a spare, when a test that is to run adds it."""
    spare = any("spare" in getattr(item, "fixturenames", ()) for item in request.session.items)
    yield from bare(CLUSTER, "--topology", "cluster", "--hosts", "5" if spare else "4")


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
def spare(cluster: Lab) -> str:
    """The cluster's host that has no role."""
    return cluster.holding("spare")[0]
