"""Timelines: which of them led to the newest one, and which a restore went back behind. Pure.

A restore begins a new timeline. What the one before it went on to write is still in the archive, and backups of it are still
listed; recovery follows the newest timeline and can use none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from backup.archive import Copy, number

HISTORY = re.compile(r"(?:^|/)([0-9A-F]{8})\.history$")
_LINE = re.compile(r"^\s*([0-9]+)\s+([0-9A-F]+/[0-9A-F]+)\b", re.MULTILINE)


@dataclass(frozen=True)
class Lineage:
    """A timeline and how it came about: each earlier one with the place in the log (LSN) at which it was left."""

    timeline: int = 1
    left: tuple[tuple[int, int], ...] = ()

    @property
    def fork(self) -> tuple[int, int] | None:
        """The timeline that this one began from, and where; None for a database's first."""
        return self.left[-1] if self.left else None

    def leads_here(self, timeline: int, at: int) -> bool:
        """Whether a place in a timeline's log is part of this one's past."""
        return timeline == self.timeline or any(timeline == earlier and at <= end for earlier, end in self.left)


def lsn(text: str) -> int:
    """A place in the log as PostgreSQL writes it (`0/7000318`), as a number."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def written(place: int) -> str:
    """The other way round."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def parse(name: str, text: str) -> Lineage:
    """The contents of a history file (`0000000N.history`)."""
    found = HISTORY.search(name)
    if not found:
        raise ValueError(f"{name!r} is no history of a timeline")
    return Lineage(int(found[1], 16), tuple((int(timeline), lsn(at)) for timeline, at in _LINE.findall(text)))


def newest_name(names: Iterable[str]) -> str:
    """Of file names, the newest timeline's history; empty when there is none, as in a database's first timeline."""
    found = [match for name in names if (match := HISTORY.search(name))]
    return max(found, key=lambda match: match[1]).string if found else ""


def usable(copies: Iterable[Copy], lineage: Lineage) -> tuple[Copy, ...]:
    """The backups that recovery to the newest timeline can begin with."""
    return tuple(copy for copy in copies if _usable(copy, lineage))


def _usable(copy: Copy, lineage: Lineage) -> bool:
    if not copy.wal_last or not copy.lsn_stop:
        # Of a pgBackRest that does not say it: recovery will.
        return True
    return lineage.leads_here(number(copy.wal_last)[0], lsn(copy.lsn_stop))
