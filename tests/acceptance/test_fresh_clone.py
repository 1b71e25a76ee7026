"""The repository's own commands in a fresh clone, as somebody meets them who has just heard of it."""

from __future__ import annotations

import pytest

from tests.evidence.plugin import Evidence
from tests.proofs import fresh_clone

pytestmark = [pytest.mark.full, pytest.mark.lab]


@pytest.mark.proof("demo")
def test_us1_1_sc002_make_demo_ends_healthy_and_a_second_one_changes_nothing(evidence: Evidence) -> None:
    evidence(fresh_clone.demo_twice())


@pytest.mark.proof("tests")
def test_fr010_make_test_passes_in_time(evidence: Evidence) -> None:
    evidence(fresh_clone.tests_pass())
