"""What the API's document promises, with as many examples as a proof has time for; tests/app/test_contract.py has a few."""

from __future__ import annotations

import pytest

from tests.evidence.plugin import Evidence
from tests.proofs import contract

pytestmark = pytest.mark.full


@pytest.mark.proof("contract")
def test_fr002_the_api_is_what_its_document_says(evidence: Evidence) -> None:
    evidence(contract.holds())
