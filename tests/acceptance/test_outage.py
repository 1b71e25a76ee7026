"""The app while its database is away."""

from __future__ import annotations

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.proofs import outage

pytestmark = pytest.mark.lab


@pytest.mark.proof("database", part="stopped")
def test_us7_2_database_down_is_degraded_and_recovers_by_itself(lab: Lab, evidence: Evidence) -> None:
    evidence(outage.database_stopped_and_started(lab))


@pytest.mark.proof("database", part="hangs")
def test_us7_2_a_database_that_hangs_is_reported_within_the_contracts_10_seconds(lab: Lab, evidence: Evidence) -> None:
    evidence(outage.database_that_hangs(lab))
