"""The guides do what they say: their command blocks, executed."""

from __future__ import annotations

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.proofs import guides

pytestmark = [pytest.mark.full, pytest.mark.lab]


@pytest.mark.proof("guides")
def test_sc002_the_guides_command_blocks_run_as_they_stand(lab: Lab, evidence: Evidence) -> None:
    evidence(guides.executed(lab))
