"""The watch: looks at records, PostgreSQL's archiver and the disk, and tells people what began and what is over."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

from backup import alerts, notify, records, swap, writes
from backup.alerts import Observation
from backup.configuration import DATA, STATE, Configuration
from backup.create import Tell
from backup.exit_codes import Failed
from backup.records import BACKUP, DRILL, DUMPS, RESTORE
from backup.server import CommandError, GoneError, Server, engine

ACTIVE = "alerts.json"
# Left by the script that speaks when this watch cannot.
UNWATCHED = "unwatched"
# One failure may be the moment of a server's restart: an archiver that fails twice in this time is failing.
FAILING_SECONDS = 60.0

# The archiver's last failure when nothing was archived after it, the oldest segment that waits, and what pg_wal holds. Each
# directory is read once: a file that was named in it may be gone, or have another name, when it is asked for.
ARCHIVER = """
select coalesce(extract(epoch from last_failed_time), 0), coalesce(last_failed_wal, ''),
       coalesce(extract(epoch from last_archived_time), 0),
       (select coalesce(min(extract(epoch from modification)), 0) from pg_ls_archive_statusdir() where name like '%.ready'),
       (select coalesce(sum(size), 0) from pg_ls_waldir()),
       (select setting::bigint * 1048576 from pg_settings where name = 'max_wal_size')
  from pg_stat_archiver
"""


def watch(configuration: Configuration, tell: Tell) -> None:
    """Look once. Raises when nobody could be told what had to be told: then the unit fails, and another way is tried."""
    _swap_finished(tell)
    seen = observe()
    active = _active(STATE)
    begun, over = alerts.told(active, alerts.due(seen))
    unwatched = STATE / UNWATCHED
    if unwatched.exists():
        over = [*over, UNWATCHED]
    problems: list[str] = []
    # What is over first: another fault of the same kind may have begun.
    for key in over:
        tell(f"over: {key}")
        text = f"It was: {active.get(key, 'the watch did not run')}\n{alerts.last_good(seen)}"
        if failed := notify.send(configuration, f"{configuration.environment}: over: {key}", text):
            problems += failed
        else:
            active.pop(key, None)
            if key == UNWATCHED:
                unwatched.unlink()
    for alert in begun:
        tell(f"ALERT {alert.key}: {alert.text}")
        subject = f"{configuration.environment}: ALERT {alert.key}"
        if failed := notify.send(configuration, subject, f"{alert.text}\n{alerts.last_good(seen)}"):
            problems += failed
        else:
            active[alert.key] = alert.text
    records.replace(STATE / ACTIVE, json.dumps(active, indent=2) + "\n")
    if problems:
        raise notify.UntoldError("; ".join(dict.fromkeys(problems)))
    if not begun and not over:
        tell(
            f"{len(active)} active alerts, nothing new. {alerts.last_good(seen)}"
            if active
            else f"No problems. {alerts.last_good(seen)}"
        )


def _swap_finished(tell: Tell) -> None:
    """A restore that was killed left PostgreSQL stopped, or taking no writes: five minutes are the most."""
    if not (swap.JOURNAL.exists() or writes.MARK.exists()) or records.held(RESTORE):
        return
    try:
        with records.alone(RESTORE, 0, "a restore"):
            swap.finished(engine(), tell)
    except (Failed, GoneError, TimeoutError) as error:
        tell(f"the interrupted swap is not finished: {error}")


def _active(state: Path) -> dict[str, str]:
    try:
        return {str(key): str(text) for key, text in json.loads((state / ACTIVE).read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def observe(state: Path = STATE) -> Observation:
    """What can be seen from this host now."""
    kinds = (BACKUP, DUMPS, DRILL)
    # Before the records: one that ends in between is then seen as running, which is no alert.
    running = frozenset(kind for kind in kinds if records.held(kind, state))
    seen = Observation(
        now=records.now(),
        since=_first_watched(state),
        last={kind: found for kind in kinds if (found := records.read(kind, state=state))},
        good={kind: found for kind in kinds if (found := records.read(kind, good=True, state=state))},
        running=running,
        disk_percent=_used(DATA),
    )
    try:
        server = Server()
        if not server.running:
            return replace(seen, silent=f"container {server.name} does not run: nothing is archived")
        return _archiver(seen, server.psql(ARCHIVER))
    except (GoneError, CommandError) as error:
        return replace(seen, silent=f"PostgreSQL does not answer: {' '.join(str(error).split())[:200]}")


def _archiver(seen: Observation, answer: str) -> Observation:
    failed, segment, archived, waiting, held, limit = answer.split("|")
    failing = float(failed) > float(archived) and seen.now - float(failed) < 10 * FAILING_SECONDS
    return replace(
        seen,
        failed_at=float(failed) if failing and float(waiting) else None,
        failed_segment=segment if re.match(r"^[0-9A-F.a-z]*$", segment) else "",
        waiting_since=float(waiting) or None,
        wal_bytes=int(held),
        wal_limit=int(limit),
    )


def _used(path: Path) -> float | None:
    """Percentage of the disk that is used, as `df` says it: what is reserved for root counts as not there."""
    try:
        used = shutil.disk_usage(path)
    except OSError:
        return None
    return 100.0 * used.used / (used.used + used.free) if used.used + used.free else None


def _first_watched(state: Path) -> float:
    """When this host was first watched: before the first backup there is nothing to be late for."""
    path = state / "watched-since"
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        now = records.now()
        records.replace(path, f"{now}\n")
        return now
