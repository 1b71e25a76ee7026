"""One replica in production: how fast it starts, how it ends, and that a page in a browser does not mind which one answers."""

from __future__ import annotations

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.proofs import page, replica, shutdown

pytestmark = [pytest.mark.full, pytest.mark.lab]


@pytest.mark.proof("page")
def test_fr024_the_page_is_live_across_replicas_in_six_languages(cluster: Lab, evidence: Evidence) -> None:
    evidence(page.works_in_every_language(cluster))


@pytest.mark.proof("shutdown")
def test_fr027_us5_1_sigterm_finishes_what_is_in_flight(cluster: Lab, evidence: Evidence) -> None:
    evidence(shutdown.finishes_what_it_works_on(cluster))


@pytest.mark.proof("start")
def test_sc008_a_replica_is_healthy_in_seconds(cluster: Lab, evidence: Evidence) -> None:
    evidence(replica.starts(cluster))
