"""The restore drill: the newest backup becomes a running instance, and its rows are compared with the live ones."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from backup import ancestry, archive, create, records, restoring, scratch, swap, timelines, verify
from backup.configuration import OBJECT_STORE, REPOSITORIES, STATE, Configuration
from backup.create import LONGEST_SECONDS, Tell
from backup.exit_codes import Backup, Failed
from backup.records import DRILL, RESTORE, Record
from backup.scratch import Target
from backup.server import GoneError, Server
from signupflow.shared import humanize

# The watch looks whether a lock is held by taking it for a moment.
LOOK_SECONDS = 5.0
REPORT = STATE / "drill-report.json"


def drill(configuration: Configuration, tell: Tell) -> Record:
    """Restore, start, compare, time, clean up, and keep how that ended."""
    with records.alone(DRILL, LOOK_SECONDS, "another drill"):
        return create.kept(DRILL, lambda: _drilled(configuration, tell))


def _drilled(configuration: Configuration, tell: Tell) -> tuple[str, int]:
    live = Server()
    if not live.running:
        raise GoneError(f"container {live.name} does not run on this host")
    create.answers(live)
    store = create.known(live)
    # From the object storage: it is what is left when this host is not.
    lineage = timelines.newest(live, configuration.stanza, [OBJECT_STORE], swap.CLUSTER)
    # One that a restore went back behind leads nowhere.
    copies = ancestry.usable(store.of(OBJECT_STORE), lineage)
    if not copies:
        raise Failed(Backup.NOT_VERIFIED, "there is no backup in the object storage to restore: signupflow-backup run")
    copy = copies[-1]
    # Before the lock: whoever must restore now does not wait until months of backups were read.
    everything_read_back(live, tell)
    # The same lock as a restore's: both sweep what a killed one left.
    with records.alone(RESTORE, LONGEST_SECONDS, "a restore", tell):
        point = f"drill-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        before = verify.contents(live.psql, configuration.database)
        live.psql(f"select pg_create_restore_point('{point}')")
        after = verify.contents(live.psql, configuration.database)
        restoring.archived_so_far(tell)
        began = time.monotonic()
        with scratch.scratch(configuration, "drill", scratch.size_of(copy), tell) as instance:
            try:
                scratch.rebuilt(instance, copy, Target(point=point), tell)
                started = time.monotonic() - began
                found = restoring.checked(instance, configuration, tell)
            except Failed as failed:
                raise Failed(Backup.NOT_VERIFIED, f"{copy.label} cannot be restored: {failed}") from None
        seconds = time.monotonic() - began
    if wrong := verify.between(before, after, found):
        raise Failed(Backup.NOT_VERIFIED, f"{copy.label} is restored and differs: {'; '.join(wrong[:5])}")
    report = {
        "backup": copy.label,
        "restored_to": point,
        "seconds_to_running": round(started, 1),
        "seconds_with_checks": round(seconds, 1),
        "database_bytes": copy.size,
        "tables": len(found.rows),
        "rows": found.total,
        "schema_revision": found.revision,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    records.replace(REPORT, json.dumps(report, indent=2) + "\n")
    rows = f"{found.total} in {len(found.rows)} tables"
    return f"{copy.label} runs after {humanize.span(started)}, is whole, and has the live rows: {rows}", copy.size


def everything_read_back(live: Server, tell: Tell) -> None:
    """Every backup and every WAL segment of both repositories, not the newest alone, and no segment missing between them."""
    for repository, where in REPOSITORIES.items():
        copies = create.known(live).of(repository)
        tell(f"{where}: reading {len(copies)} backups and all WAL back")
        create.read_back(live, copies)
        if copies and (holes := archive.gaps(create.archived(live, repository), copies[0].wal_first)):
            says = ", ".join(f"{a} and {b}" for a, b in holes[:3])
            raise Failed(Backup.NOT_VERIFIED, f"{where}: WAL is missing between {says}: moments in between cannot be recovered")
