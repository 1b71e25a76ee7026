"""The end of a live cluster's log that is in no archive yet: taken from its disk, so that no store has to answer first."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from signupflow.shared.places import POSTGRES_UID

WHOLE = re.compile(r"^[0-9A-F]{24}$")


def names(cluster: Path) -> list[str]:
    """Segments and histories of a cluster that its archiver has not stored, the oldest first; the one in use among them."""
    log = cluster / "pg_wal"
    status = log / "archive_status"
    held = {path.name for path in log.glob("*") if path.is_file()}
    done = {path.name.removesuffix(".done") for path in status.glob("*.done")}
    ready = {path.name.removesuffix(".ready") for path in status.glob("*.ready")}
    segments = sorted(name for name in held if WHOLE.match(name))
    # Those beyond the one in use are kept for later, with what they held long ago.
    last = max((name for name in {*done, *ready} if WHOLE.match(name)), default="")
    used = next((name for name in segments if name > last), "")
    histories = sorted(name for name in held if re.fullmatch(r"[0-9A-F]{8}\.history", name) and name not in done)
    return [*histories, *(name for name in segments if name in ready or (name == used and name not in done))]


def carried(live: Path, cluster: Path) -> list[str]:
    """Copy them into the log of a cluster that is to be recovered; one that is archived meanwhile is found there."""
    taken = []
    for name in names(live):
        to = cluster / "pg_wal" / name
        with suppress(FileNotFoundError):
            shutil.copyfile(live / "pg_wal" / name, to)
            to.chmod(0o600)
            shutil.chown(to, POSTGRES_UID, POSTGRES_UID)
            taken.append(name)
    return taken


def handed_on(live: Path, cluster: Path) -> None:
    """Have the restored cluster's server archive what the live one did not: the timelines that it came from need it.

    Only segments that are whole, and under the names of those timelines: what the new one writes has names of its own.
    """
    status = cluster / "pg_wal" / "archive_status"
    ready = {path.name.removesuffix(".ready") for path in (live / "pg_wal" / "archive_status").glob("*.ready")}
    for name in names(live):
        mark = status / f"{name}.ready"
        if name in ready and not mark.exists() and not mark.with_suffix(".done").exists():
            to = cluster / "pg_wal" / name
            shutil.copyfile(live / "pg_wal" / name, to)
            mark.touch()
            for path in (to, mark):
                path.chmod(0o600)
                shutil.chown(path, POSTGRES_UID, POSTGRES_UID)
