"""Timelines: history files are read, and of backups it is known whether recovery can begin with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup import ancestry
from backup.ancestry import Lineage

THIRD = """1\t0/7000318\tafter LSN 0/70002D0

# a remark
2\tA/16B374D8\tbefore 2026-11-27 02:15:00.000000+00
"""


def test_c4_a_history_says_where_each_timeline_was_left() -> None:
    found = ancestry.parse("archive/signupflow/17-1/00000003.history", THIRD)
    assert found == Lineage(3, ((1, 0x7000318), (2, 0xA16B374D8)))
    assert found.fork == (2, 0xA16B374D8)
    assert Lineage().fork is None
    with pytest.raises(ValueError, match="no history of a timeline"):
        ancestry.parse("000000030000000000000001", THIRD)


def test_c4_a_place_beyond_the_fork_leads_nowhere() -> None:
    found = ancestry.parse("00000003.history", THIRD)
    assert found.leads_here(1, 0x7000318)
    assert not found.leads_here(1, 0x7000319)
    assert found.leads_here(3, 1 << 60)
    assert not found.leads_here(4, 1), "one that another restore left"


def test_c4_the_newest_history_is_found_among_whatever_lies_there() -> None:
    names = ["0000000100000000", "00000002.history", "0000000A.history", "00000009.history", "0000000B.history.backup"]
    assert ancestry.newest_name(names) == "0000000A.history"
    assert ancestry.newest_name(["0000000100000000"]) == ""


@given(st.integers(0, (1 << 64) - 1))
def test_c4_a_place_in_the_log_is_read_as_it_is_written(place: int) -> None:
    assert ancestry.lsn(ancestry.written(place)) == place
