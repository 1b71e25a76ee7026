"""From an old service on SQLite to this one, on a real host: rolled back when it fails, and moved with every row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.proofs import cutover
from tests.proofs.releasing import must, release

pytestmark = pytest.mark.lab


@pytest.fixture
def one(lab: Lab) -> Iterator[Lab]:
    """The single host; other tests find it served by a release, and no old service declared."""
    yield lab
    must(release(lab, cutover.OURS, "deploys/production.py"))


@pytest.mark.full
@pytest.mark.proof("cutover")
def test_us2_1_us2_4_a_cut_over_in_full(lab: Lab, evidence: Evidence) -> None:
    """Small and large, four failures, a kill at each step from the page on."""
    evidence(cutover.in_full(lab))


@pytest.mark.long
def test_us2_4_us2_1_a_cut_over_that_fails_goes_back_and_the_next_one_loses_nothing(one: Lab) -> None:
    cutover.back_and_then_moved(one)
