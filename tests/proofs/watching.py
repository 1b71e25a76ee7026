"""The watch over backups, on a real PostgreSQL: what is well never alarms, and each fault of a row is told once and over once."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psycopg2

from backup import alerts, monitor, notify, records, swap, writes
from backup.records import BACKUP, DRILL, DUMPS, Record
from lab.waiting import wait_for
from signupflow.shared.channels import Mail
from tests.backup.local import Local, local
from tests.webhook import Webhook, listening

KEY = "archive-failing"


def looks(count: int = 10_000, faults: int = 10) -> dict[str, Any]:
    """So many looks while the log switches all the time; then so many times an archive that fails and comes back."""
    with ExitStack() as whole:
        folder = Path(whole.enter_context(tempfile.TemporaryDirectory(prefix="signupflow-watch-")))
        folder.chmod(0o755)
        broken = folder / "archive-is-away"
        server = whole.enter_context(local("archive_mode=on", f"archive_command='test ! -e {broken}'"))
        hook = whole.enter_context(listening())
        whole.enter_context(watched(server, folder, hook))
        with switching(server) as switches:
            false_alarms = [alert.text for _ in range(count) for alert in alerts.due(monitor.observe())]
        assert switches[0] > count / 100, f"{switches[0]} switches in {count} looks show nothing"
        rows = [told(server, broken, hook) for _ in range(faults)]
        evidence = {
            "looks": count,
            "switches": switches[0],
            "false_alarms": len(false_alarms),
            "examples": false_alarms[:3],
            "faults": len(rows),
            "told_once": sum(row["told"] == 1 for row in rows),
            "over_once": sum(row["over"] == 1 for row in rows),
        }
    assert not false_alarms, evidence
    assert evidence["told_once"] == evidence["over_once"] == faults, evidence
    return evidence


@contextmanager
def watched(server: Local, state: Path, hook: Webhook) -> Iterator[Path]:
    """The watch of this server, on a host where everything else is well; people are told by a webhook."""
    now = records.now()
    for kind in (BACKUP, DRILL, DUMPS):
        records.write(Record(kind, now - 60, now, 0, "it went well", 1), state)
    secret = {"notify_webhook_url": hook.url}
    with ExitStack() as patched:
        for where, name, value in (
            (monitor, "Server", lambda *_: server),
            (monitor, "STATE", state),
            (monitor, "DATA", state),
            (swap, "JOURNAL", state / "swap.json"),
            (writes, "MARK", state / "writes-stopped"),
            (notify, "secret", lambda name: secret.get(name, "")),
        ):
            patched.enter_context(patch.object(where, name, value))
        observe = monitor.observe
        patched.enter_context(patch.object(monitor, "observe", lambda folder=state: observe(folder)))
        yield state


@contextmanager
def switching(server: Local) -> Iterator[list[int]]:
    """A segment is ended as soon as the one before is; counted."""
    switches, ended = [0], threading.Event()

    def work() -> None:
        with closing(psycopg2.connect(server.url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not ended.is_set():
                cursor.execute("select pg_logical_emit_message(true, 'proof', 'x')")
                cursor.execute("select pg_switch_wal()")
                switches[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield switches
    finally:
        ended.set()
        thread.join(60)


def switch(server: Local) -> None:
    server.psql("select pg_logical_emit_message(true, 'proof', 'x')")
    server.psql("select pg_switch_wal()")


def told(server: Local, broken: Path, hook: Webhook) -> dict[str, int]:
    """The archive goes away and comes back; looked at several times in each state."""
    before = len(hook.bodies)
    configuration: Any = SimpleNamespace(environment="proof", mail=Mail())

    def look() -> list[str]:
        monitor.watch(configuration, lambda _: None)
        return [body["text"] for body in hook.bodies[before:]]

    broken.touch()
    switch(server)
    wait_for(lambda: any("ALERT" in text for text in look()), 90, "a failing archive is not told of")
    for _ in range(3):
        look()
    broken.unlink()
    # Whoever fails three times waits a minute, or for the next segment.
    switch(server)
    wait_for(lambda: any("over:" in text for text in look()), 120, "its end is not told of")
    for _ in range(3):
        look()
    texts = [body["text"] for body in hook.bodies[before:]]
    return {
        "told": sum(f"ALERT {KEY}" in text for text in texts),
        "over": sum(f"over: {KEY}" in text for text in texts),
        "all": len(texts),
    }
