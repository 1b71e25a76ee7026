"""The live database takes no writes while a restore to the last change is ended: whatever was acknowledged is in it then.

Reads go on. A setting of the server does it, so that no session has to be ended and no role changed; it is on this cluster's
disk, never in the log, and taken out of every cluster that is to serve. A note on the host says that it is on: a run that was
killed is undone by the watch, or by the next restore.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from backup import records
from backup.configuration import STATE
from backup.create import Tell
from backup.exit_codes import Failed, Restore
from backup.server import LIVE, CommandError, GoneError, Server

# Written before the first write is refused, removed when they are taken again.
MARK = STATE / "writes-stopped"
SETTING = "default_transaction_read_only"
STOP = f"alter system set {SETTING} = on"
RELOAD = "select pg_reload_conf()"
# A session reads the setting between two statements, a moment after it was told to.
SIGNAL_SECONDS = 1.0
# Transactions that had begun get so long to end by themselves.
GRACE_SECONDS = 10.0
# Those that had begun before the setting was read.
OPEN = """
from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
 and xact_start < '{since}'::timestamptz
"""
# Where in the log all is that was acknowledged; then a record behind it, by which recovery knows that it is there.
HERE = "select pg_current_wal_insert_lsn()"
BEHIND = "select pg_logical_emit_message(false, 'signupflow', 'end')"
SWITCH = "select pg_walfile_name(pg_switch_wal())"
STOP_SECONDS = 120
ARCHIVER_SECONDS = 5.0


def stop(server: Server, tell: Tell) -> str:
    """Let nothing be written any more; returns the place in the log (LSN) before which all is that was acknowledged.

    Empty where the server does not answer: then it is stopped, and its log on the disk is all there is.
    """
    records.replace(MARK, f"{records.now():.3f}\n")
    try:
        server.psql(STOP)
        server.psql(RELOAD)
        _until_refused(server)
        time.sleep(SIGNAL_SECONDS)
        since = server.psql("select clock_timestamp()")
        deadline = time.monotonic() + GRACE_SECONDS
        while server.psql(f"select count(*) {OPEN.format(since=since)}") != "0":
            if time.monotonic() > deadline:
                server.psql(f"select count(pg_terminate_backend(pid, 5000)) {OPEN.format(since=since)}")
            time.sleep(0.2)
        tell("nothing is written any more, reads go on; taking what came last")
        return marked(server)
    except (GoneError, CommandError) as error:
        tell(f"the live server does not answer, it is stopped: {' '.join(str(error).split())[:120]}")
        halt(server.client)
        return ""


def marked(server: Server) -> str:
    """The place in the log that all is before which was acknowledged until now, with a whole segment that has it."""
    here = server.psql(HERE)
    server.psql(BEHIND)
    server.psql(SWITCH)
    return here


def _until_refused(server: Server) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    while server.psql(f"show {SETTING}") != "on":
        if time.monotonic() > deadline:
            raise Failed(Restore.FAILED, f"the live server goes on taking writes ({SETTING} is overridden): nothing was changed")
        time.sleep(0.1)


def halt(client: docker.DockerClient) -> None:
    """Stop the live server. Its archiver tries once more, for minutes where the store is away: it is not waited for so long.

    What it does not archive is handed on (backup/unarchived.py).
    """
    with suppress(NotFound, APIError), ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(client.containers.get(LIVE).stop, timeout=STOP_SECONDS)
        while True:
            with suppress(FutureTimeout):
                stopped.result(ARCHIVER_SECONDS)
                return
            with suppress(GoneError, APIError):
                Server(LIVE, client).end("^pgbackrest .*archive-push")


def allowed(cluster: Path) -> None:
    """Take the setting out of a cluster whose server does not run."""
    path = cluster / "postgresql.auto.conf"
    with suppress(FileNotFoundError):
        text = path.read_text()
        kept = re.sub(rf"^{SETTING}\s*=.*\n?", "", text, flags=re.MULTILINE)
        if kept != text:
            # In place: it keeps its owner and mode. PostgreSQL does not run, and an empty file is a whole one.
            path.write_text(kept)


def resume(client: docker.DockerClient, cluster: Path, tell: Tell) -> None:
    """Take writes again, if a restore stopped them: the server that serves, or the one that is started now."""
    if not MARK.exists():
        return
    server = Server(LIVE, client)
    try:
        if server.running:
            server.psql(f"alter system reset {SETTING}")
            server.psql(RELOAD)
        else:
            allowed(cluster)
            client.containers.get(LIVE).start()
    except (GoneError, CommandError, APIError) as error:
        why = " ".join(str(error).split())[:200]
        tell(f"the live database does not take writes yet, signupflow-backup-watch tries again within five minutes: {why}")
        return
    MARK.unlink(missing_ok=True)
    tell("writes are taken again")
