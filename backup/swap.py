"""The restored cluster takes the place of the live one, in one step that the kernel does whole or not at all.

Directories below `DATA`: `cluster` is what the server uses, `before-<UTC>` what it used before a restore and is kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from backup import records, replaced, unarchived, writes
from backup.configuration import DATA, STATE
from backup.create import Tell
from backup.exit_codes import Failed, Restore
from backup.replaced import Note
from backup.server import LIVE

CLUSTER = DATA / "cluster"
KEPT = "before-"
# Written before the live server is stopped, removed when it serves again.
JOURNAL = STATE / "swap.json"
# renameat2(2), linux/fs.h
RENAME_EXCHANGE = 2
AT_FDCWD = -100
HEALTHY_SECONDS = 180.0
# A server that ended so often by itself will not come: users wait meanwhile.
RESTARTS = 3


def exchange(one: Path, other: Path) -> None:
    """Swap the names of two directories of one filesystem: at no moment is either name not there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one), None, str(other))


def name() -> str:
    """What the cluster that is replaced now will be called."""
    return f"{KEPT}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def replaceable(client: docker.DockerClient) -> None:
    """Raise Failed where there is a cluster and nothing that serves it."""
    try:
        client.containers.get(LIVE)
    except NotFound:
        raise Failed(
            Restore.NO_DATABASE, f"there is a cluster and no container {LIVE}: run deploys/production.py first"
        ) from None


def swap(client: docker.DockerClient, restored: Path, note: Note, store: Callable[[], None], tell: Tell) -> Note:
    """Stop the live server, exchange the clusters, start it; returns the note of what was replaced, as it is kept.

    The note is part of the exchange: it is on this host before the clusters change places, and `store` brings it into the
    repositories before anything of the new timeline can be there. When the server does not become healthy on the new cluster,
    it gets the old one back, the note is void, and Failed is raised.
    """
    replaceable(client)
    kept = DATA / note.name
    # By its inode a run that comes after a kill knows which of the two is in place.
    old = CLUSTER.stat().st_ino
    _noted(old, note)
    # Out of the scratch directory, which a sweep takes, and under the name that the old one will have.
    os.rename(restored, kept)
    # What waits to be archived is much where the store was away for long; the rest comes once the server is stopped.
    unarchived.handed_on(CLUSTER, kept)
    tell("stopping PostgreSQL")
    writes.halt(client)
    unarchived.handed_on(CLUSTER, kept)
    for cluster in (CLUSTER, kept):
        writes.allowed(cluster)
    # Only now nothing is acknowledged any more.
    note = replace(note, until=max(note.since, records.now()) if note.until != note.since else note.until)
    _noted(old, note)
    exchange(CLUSTER, kept)
    replaced.keep(note)
    store()
    tell("the restored cluster is in place; starting PostgreSQL")
    if _serves(client):
        JOURNAL.unlink()
        return note
    writes.halt(client)
    exchange(CLUSTER, kept)
    replaced.void(note.name)
    back = _serves(client)
    # What does not start is not kept as if it had served.
    shutil.rmtree(kept, ignore_errors=True)
    if back:
        JOURNAL.unlink()
    store()
    state = "the previous database serves again" if back else f"and neither does it on the previous one: docker logs {LIVE}"
    raise Failed(Restore.FAILED, f"PostgreSQL does not become healthy on the restored cluster; {state}")


def _noted(old: int, note: Note) -> None:
    records.replace(JOURNAL, json.dumps({"kept": note.name, "old": old, "began": records.now(), "note": asdict(note)}) + "\n")


def finished(client: docker.DockerClient, tell: Tell) -> None:
    """What a restore left that was killed: the server is started on the cluster that is in place, and takes writes.

    Users may have written to it, so nothing is exchanged and nothing that may have served is removed: Failed when it does not
    come. What was restored and not put into place goes.
    """
    _exchange_finished(client, tell)
    writes.resume(client, CLUSTER, tell)


def _exchange_finished(client: docker.DockerClient, tell: Tell) -> None:
    try:
        began = json.loads(JOURNAL.read_text())
        kept, old = DATA / began["kept"], began["old"]
    except (OSError, ValueError, KeyError):
        return
    if not CLUSTER.exists():
        # Somebody took the cluster away, to have another in its place: there is nothing to start.
        JOURNAL.unlink()
        return
    exchanged = CLUSTER.stat().st_ino != old
    tell(f"a restore was interrupted {'after' if exchanged else 'before'} it exchanged the clusters; starting PostgreSQL")
    if exchanged and (note := began.get("note")):
        replaced.keep(Note(**note))
        tell(f"replaced is what was from {replaced.shown(Note(**note))}")
    elif not exchanged:
        replaced.void(kept.name)
    if not _serves(client):
        raise Failed(
            Restore.FAILED,
            f"PostgreSQL does not become healthy after an interrupted swap (docker logs {LIVE}); {kept} is the other cluster",
        )
    if not exchanged:
        shutil.rmtree(kept, ignore_errors=True)
    JOURNAL.unlink()


def _serves(client: docker.DockerClient) -> bool:
    """Start the live server unless it runs, and wait until it is healthy."""
    try:
        container = client.containers.get(LIVE)
        container.start()
    except (NotFound, APIError):
        return False
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        container.reload()
        health = container.attrs["State"].get("Health", {}).get("Status", container.status)
        if health in ("healthy", "running"):
            return True
        if container.attrs.get("RestartCount", 0) >= RESTARTS:
            return False
        time.sleep(0.5)
    return False


def kept() -> list[Path]:
    """Clusters that are kept from before restores, the oldest first."""
    return sorted(path for path in DATA.glob(f"{KEPT}*") if path.is_dir())


def discard(name: str) -> None:
    """Remove a kept cluster for good."""
    if name not in [path.name for path in kept()]:
        raise Failed(Restore.NOT_FOUND, f"{name} is not kept; `signupflow-restore kept` shows what is")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(DATA / name)
