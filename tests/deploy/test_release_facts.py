"""What facts about releases make of a host's output."""

from __future__ import annotations

from facts.release import Connections
from signupflow.release import readiness


def test_us2_3_postgresql_that_gives_no_numbers_does_not_answer() -> None:
    assert Connections().process(["12 100"]) == readiness.Database(12, 100)
    for said in (["?"], ["OCI runtime exec failed: exec failed: unable to start container process", "?"]):
        assert Connections().process(said) is None
