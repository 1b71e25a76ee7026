"""From a commit to production, by the workflow files."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.proofs import pipeline

pytestmark = [pytest.mark.full, pytest.mark.lab]


@pytest.mark.proof("pipeline")
def test_us3_1_us3_2_us3_3_us3_4_us3_5_sc001_a_commit_reaches_production(
    delivery_lab: Lab, tmp_path: Path, evidence: Evidence
) -> None:
    console = Console()
    evidence(pipeline.proven(delivery_lab, tmp_path, lambda line: console.print(f"  {line}", highlight=False)))
