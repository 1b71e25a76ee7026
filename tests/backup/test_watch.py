"""The watch itself, on a real PostgreSQL."""

from __future__ import annotations

import pytest

from tests.evidence.plugin import Evidence, Short
from tests.proofs import watching


@pytest.mark.slow
@pytest.mark.proof("watcher")
def test_c9_c8_ten_thousand_looks_while_the_log_switches_are_no_alarm_and_each_fault_is_told_once(
    evidence: Evidence, short: Short
) -> None:
    evidence(watching.looks(**short(count=500, faults=2)))
