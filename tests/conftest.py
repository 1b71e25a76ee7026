"""What all tests have: the labs' fixtures, `--full` and the evidence it leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.labs import converged, shared

pytest_plugins = ["tests.evidence.plugin", "pytester"]

# Time is never asserted in a test: a busy machine would fail it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Fixtures of labs that are not the single host's: their tests are run by a second process beside it (scripts/test).
MANY_HOSTS = {"cluster", "bare_cluster", "two_bare_hosts"}
# The only folders that scripts/test looks into for tests on hosts: to read all others takes a lane ten seconds.
ON_HOSTS = (Path(__file__).parent / "acceptance", Path(__file__).parent / "lab")


def pytest_configure(config: pytest.Config) -> None:
    labs = converged if config.getoption("--full") else shared
    config.pluginmanager.register(labs, "labs")
    os.environ["LAB_NAME"] = labs.NAME


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs several hosts, so that `-m "lab and not cluster"` is the single host's."""
    for item in items:
        if item.get_closest_marker("lab") and not any(folder in item.path.parents for folder in ON_HOSTS):
            raise pytest.UsageError(
                f"{item.nodeid} is marked lab; scripts/test looks for those in tests/acceptance and tests/lab only"
            )
        if MANY_HOSTS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cluster)
