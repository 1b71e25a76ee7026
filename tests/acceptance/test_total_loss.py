"""The last test, because it destroys the host: rebuilt from the object storage by the runbook."""

from __future__ import annotations

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence, Short
from tests.proofs.backups import losses

pytestmark = pytest.mark.lab


@pytest.mark.proof("lost-host")
def test_ec6_fr008_a_host_that_is_lost_is_rebuilt_from_its_backups(lab: Lab, short: Short, evidence: Evidence) -> None:
    evidence(losses.lost_and_rebuilt(lab, **short(seconds_of_writes=5)))
