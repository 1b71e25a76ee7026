"""Which alerts hold, and which have to be told: each once when it begins and once when it is over. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backup.records import BACKUP, DRILL, DUMPS, Record
from signupflow.shared import humanize

# A good backup every 24 h (SC-005), and an hour for the run itself.
BACKUP_SECONDS = 25 * 3600.0
# Monthly, and a few days to repeat one that failed.
DRILL_SECONDS = 35 * 86400.0
# archive_timeout closes a segment after 50 s; one that waits for five minutes is not getting through.
LAG_SECONDS = 300.0
# pg_wal beyond this many times max_wal_size is kept for somebody: mostly for an archive that fails.
WAL_FACTOR = 2.0
DISK_PERCENT = 90.0

TITLES = {BACKUP: "backup", DRILL: "restore drill", DUMPS: "dump"}


@dataclass(frozen=True)
class Observation:
    """What the watch saw. Times are seconds since 1970; None where it could not be seen.

    `since` is when this host was first watched, `running` the kinds of work whose lock is held now.
    """

    now: float
    since: float
    last: Mapping[str, Record]
    good: Mapping[str, Record]
    running: frozenset[str] = frozenset()
    silent: str = ""
    failed_at: float | None = None
    failed_segment: str = ""
    waiting_since: float | None = None
    wal_bytes: int | None = None
    wal_limit: int | None = None
    disk_percent: float | None = None
    drills: bool = True


@dataclass(frozen=True)
class Alert:
    """Something is wrong: `key` says what kind, `text` why, in one line.

    `fault` ends the text of what can be wrong in several ways, one after another: another one is news although the key holds.
    """

    key: str
    text: str
    fault: str = ""


def due(seen: Observation) -> list[Alert]:
    """The alerts that hold."""
    found = [alert for kind in (BACKUP, DUMPS, DRILL) for alert in _attempt(seen, kind)]
    proven = seen.good.get(BACKUP)
    age = seen.now - (proven.ended if proven else seen.since)
    if age > BACKUP_SECONDS:
        found.append(Alert("backup-old", f"no good backup for {humanize.span(age)}"))
    drilled = seen.good.get(DRILL)
    age = seen.now - (drilled.ended if drilled else seen.since)
    if seen.drills and age > DRILL_SECONDS:
        found.append(Alert("drill-overdue", f"no restore drill succeeded for {humanize.span(age)}"))
    if seen.silent:
        found.append(Alert("database-silent", seen.silent))
    if seen.failed_at is not None:
        last = f"{humanize.moment(seen.failed_at)} ({seen.failed_segment})"
        found.append(Alert("archive-failing", f"WAL archiving fails, last at {last}: see `docker logs signupflow-postgres`"))
    if seen.waiting_since is not None and seen.now - seen.waiting_since > LAG_SECONDS:
        waits = humanize.span(seen.now - seen.waiting_since)
        found.append(Alert("archive-lagging", f"a WAL segment waits for {waits}: so much would be lost with this host"))
    if seen.wal_bytes and seen.wal_limit and seen.wal_bytes > WAL_FACTOR * seen.wal_limit:
        found.append(
            Alert("wal-piling-up", f"pg_wal holds {humanize.size(seen.wal_bytes)}: PostgreSQL stops when the disk is full")
        )
    if seen.disk_percent is not None and seen.disk_percent >= DISK_PERCENT:
        found.append(Alert("disk-full", f"the disk of the database is {seen.disk_percent:.0f} % full"))
    return found


def _attempt(seen: Observation, kind: str) -> Iterable[Alert]:
    """What the last attempt at something says: that it failed, or that it was killed."""
    last = seen.last.get(kind)
    if last is None or last.good or kind in seen.running:
        return
    why = last.message if last.ended else "it was killed before it ended"
    yield Alert(f"{kind}-failed", f"the {TITLES[kind]} of {humanize.moment(last.started)} failed: {why}", why)


def told(active: Mapping[str, str], due_now: Iterable[Alert]) -> tuple[list[Alert], list[str]]:
    """Alerts to tell now, and keys of those that are over. `active` is what people were told and is not over, by key.

    An alert whose text changes while it holds is not told again: what it is about has been said. Unless it is another fault: then
    the one before is over.
    """
    held = {alert.key: alert for alert in due_now}
    others = [key for key, alert in held.items() if key in active and not _worded(active[key]).endswith(_worded(alert.fault))]
    begun = [alert for key, alert in held.items() if key not in active or key in others]
    return begun, [key for key in active if key not in held or key in others]


def _worded(text: str) -> str:
    """Without numbers: times and sizes differ from one night to the next, and are no news."""
    return re.sub(r"[0-9]+", "#", text)


def last_good(seen: Observation) -> str:
    """The sentence that every message ends with."""
    proven = seen.good.get(BACKUP)
    if proven is None:
        return "There is no good backup yet."
    return f"The last good backup is {humanize.span(seen.now - proven.ended)} old ({humanize.moment(proven.ended)})."
