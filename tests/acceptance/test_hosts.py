"""Hosts with a past: each works, or is refused before anything is changed, and nothing of somebody's is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.evidence.plugin import Evidence, Short
from tests.labs import MARK, down
from tests.proofs import flavours

pytestmark = pytest.mark.lab

NAME = f"flav{MARK}"
# An engine and a container of somebody's, a port that only ssh knows, modes, and settings that would not be in force.
SHARPEST = ("docker-ce", "ssh-port", "umask-027", "sshd-dropins")


@pytest.fixture
def machines() -> Iterator[str]:
    """The name of a lab whose first host is another machine for each flavour."""
    down(NAME)
    yield NAME
    down(NAME)


@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.proof("flavours")
def test_b1_b2_b3_b4_b5_hosts_with_a_past_work_or_are_refused_and_lose_nothing(
    machines: str, short: Short, evidence: Evidence
) -> None:
    evidence(flavours.table(machines, **short(wanted=SHARPEST)))
