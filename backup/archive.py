"""What pgBackRest says of its repositories, read: backups, verification, and whether WAL is without a gap. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

SEGMENT = re.compile(r"^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?:[.-].*)?$")
# Segments of 16 MiB (initdb's default): 256 of them share the middle eight digits of their name.
SEGMENTS_PER_FILE_ID = 256
# Codes of a repository in `info` (pgBackRest, command/info/info.c): nothing in it yet, and no backup yet.
NO_STANZA, NO_BACKUP = 1, 2
FINE = (0, NO_STANZA, NO_BACKUP)


@dataclass(frozen=True)
class Copy:
    """One backup in one repository. Sizes in bytes: of the database, and of what is stored; times in UTC."""

    label: str
    repository: int
    started: datetime
    stopped: datetime
    size: int
    stored: int
    wal_first: str
    wal_last: str
    annotations: tuple[tuple[str, str], ...] = ()
    faulty: bool = False
    # Where in the log it ended, as PostgreSQL writes it.
    lsn_stop: str = ""

    @property
    def seconds(self) -> float:
        return (self.stopped - self.started).total_seconds()


@dataclass(frozen=True)
class Store:
    """What `pgbackrest info` says: backups, the oldest first; repositories with a trouble; those that hold nothing yet."""

    copies: tuple[Copy, ...]
    troubles: tuple[tuple[int, str], ...]
    empty: tuple[int, ...] = ()

    def of(self, repository: int) -> tuple[Copy, ...]:
        return tuple(copy for copy in self.copies if copy.repository == repository)

    def find(self, label: str) -> tuple[Copy, ...]:
        """The copies of one backup, by the whole label."""
        return tuple(copy for copy in self.copies if copy.label == label)


def parse_info(text: str) -> Store:
    """Read `pgbackrest info --output=json` of one stanza."""
    # A message of several lines (a passphrase that does not fit) stands there with its line ends, which strict JSON forbids.
    stanzas: list[dict[str, Any]] = json.loads(text, strict=False)
    if not stanzas:
        return Store((), ())
    stanza = stanzas[0]
    copies = tuple(sorted(map(_copy, stanza.get("backup", [])), key=lambda copy: (copy.stopped, copy.repository)))
    states = {repo["key"]: (repo["status"]["code"], str(repo["status"]["message"])) for repo in stanza.get("repo", [])}
    troubles = tuple((key, message) for key, (code, message) in states.items() if code not in FINE)
    return Store(copies, troubles, tuple(key for key, (code, _) in states.items() if code == NO_STANZA))


def _copy(found: dict[str, Any]) -> Copy:
    repository = found["info"]["repository"]
    return Copy(
        found["label"],
        found["database"]["repo-key"],
        datetime.fromtimestamp(found["timestamp"]["start"], UTC),
        datetime.fromtimestamp(found["timestamp"]["stop"], UTC),
        found["info"]["size"],
        repository.get("delta", repository.get("size", 0)),
        found["archive"]["start"] or "",
        found["archive"]["stop"] or "",
        tuple(sorted((found.get("annotation") or {}).items())),
        bool(found.get("error")),
        str((found.get("lsn") or {}).get("stop") or ""),
    )


def verified(text: str, labels: Sequence[str]) -> str:
    """What is wrong by `pgbackrest verify --output=text`; empty when all was read back and is as it was written.

    pgBackRest ends with 0 whatever it finds (https://github.com/pgbackrest/pgbackrest/issues/2502), and says nothing of a
    backup whose directory is gone: only a line that calls it valid counts for a backup.
    """
    lines = [line.strip() for line in text.splitlines()]
    faults = [line for line in lines if re.match(r"^(checksum invalid|file missing|size invalid|missing|unable to)", line)]
    for label in labels:
        if not any(re.match(rf"^(backup: )?{re.escape(label)}\b.*status: valid\b", line) for line in lines):
            found = next((line for line in lines if label in line), "it is not there")
            return f"{label} is not what was written: {'; '.join([found, *faults[:3]])}"
    if "status: ok" not in lines:
        counts = [line for line in lines if re.search(r"(missing|invalid|other): [1-9]", line)]
        return f"the archive is not what was written: {'; '.join(counts or faults or ['verification says status: error'])}"
    return ""


def number(segment: str) -> tuple[int, int]:
    """Timeline and running number of a WAL segment's name."""
    found = SEGMENT.match(segment)
    if not found:
        raise ValueError(f"{segment!r} is not a WAL segment")
    timeline, high, low = (int(part, 16) for part in found.groups())
    return timeline, high * SEGMENTS_PER_FILE_ID + low


def segments(names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Timeline and running number of each whole segment among file names of an archive."""
    for name in names:
        if SEGMENT.match(name) and ".backup" not in name and ".partial" not in name:
            yield number(name)


def gaps(names: Iterable[str], first: str) -> list[tuple[str, str]]:
    """Pairs of archived segments between which others are missing, from `first` on, timeline by timeline.

    `names` are file names of a repository's archive; what is no segment (history files, labels) is left out. A timeline begins
    with the segment in which it left an earlier one, or the one after: how far the earlier ones go bounds that from above.
    """
    held: dict[int, set[int]] = {}
    for timeline, position in segments(names):
        held.setdefault(timeline, set()).add(position)
    start_timeline, start = number(first)
    missing = []
    reached = start, first
    for timeline, positions in sorted(held.items()):
        wanted = sorted(position for position in positions if timeline != start_timeline or position >= start)
        if timeline < start_timeline:
            continue
        if timeline == start_timeline and (not wanted or wanted[0] != start):
            missing.append((first, segment_name(timeline, wanted[0]) if wanted else first))
        if timeline > start_timeline and wanted[0] > reached[0] + 1:
            missing.append((reached[1], segment_name(timeline, wanted[0])))
        missing += [(segment_name(timeline, a), segment_name(timeline, b)) for a, b in pairwise(wanted) if b != a + 1]
        if wanted:
            reached = max(reached, (wanted[-1], segment_name(timeline, wanted[-1])))
    if start_timeline not in held:
        missing.append((first, first))
    return missing


def segment_name(timeline: int, position: int) -> str:
    high, low = divmod(position, SEGMENTS_PER_FILE_ID)
    return f"{timeline:08X}{high:08X}{low:08X}"


def newest_before(copies: Sequence[Copy], moment: datetime) -> Copy | None:
    """The newest backup that had ended by then: where recovery to that moment begins."""
    ended = [copy for copy in copies if copy.stopped <= moment]
    return max(ended, key=lambda copy: copy.stopped, default=None)
