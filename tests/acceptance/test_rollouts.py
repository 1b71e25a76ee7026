"""Beside what people use today, on the same host and under the same load."""

from __future__ import annotations

import pytest
from rich.console import Console

from benchmarks.side_by_side import side_by_side
from lab.client import Lab
from tests.evidence.plugin import Evidence

pytestmark = [pytest.mark.full, pytest.mark.lab]


@pytest.mark.proof("rollouts")
def test_sc004_nothing_is_lost_in_half_the_time_of_what_loses_nothing_either(lab: Lab, evidence: Evidence) -> None:
    evidence(side_by_side(lab, Console()))
