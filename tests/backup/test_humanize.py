"""Sizes, durations and moments as people read them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.records import Record
from signupflow.shared import humanize


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (7, "7 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (33392058, "33 MB"),
        (3843760, "3.8 MB"),
        (4200000000, "4.2 GB"),
        (12 * 10**12, "12.0 TB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_fr007_a_size_has_the_largest_unit_that_leaves_a_whole_part(count: int, said: str) -> None:
    assert humanize.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (26 * 3600, "26 h"),
        (172800, "2 days"),
        (35 * 86400, "35 days"),
    ],
)
def test_sc005_an_age_is_said_in_the_unit_that_people_count_it_in(seconds: float, said: str) -> None:
    assert humanize.span(seconds) == said


def test_fr008_a_moment_is_said_in_utc_from_whatever_zone() -> None:
    here = datetime(2026, 11, 27, 9, 54, 10, tzinfo=timezone(timedelta(hours=8)))
    assert humanize.moment(here) == humanize.moment(here.timestamp()) == "2026-11-27 01:54:10 UTC"


@given(st.integers(0, 4102444800))
def test_fr008_a_moment_that_was_said_can_be_given_back(stamp: int) -> None:
    found = datetime.strptime(humanize.moment(stamp), "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    assert found.timestamp() == stamp


def test_sc005_the_last_backup_is_told_in_a_line_whatever_the_host_has_of_it() -> None:
    good = json.dumps(asdict(Record("backup", 990.0, 1000.0, 0, "33 MB backed up and read back")))
    assert humanize.last_backup(good, "{}", 1000 + 7200) == "2 h ago, 33 MB backed up and read back"
    assert humanize.last_backup(good, '{"disk-full": "x", "backup-failed": "y"}', 1030.0) == (
        "30 s ago, 33 MB backed up and read back; ALERTS: backup-failed, disk-full"
    )
    for nothing in ("", "{", "[]", "{}", '{"ended": "x"}'):
        assert humanize.last_backup(nothing, "", 0) == "none yet"
