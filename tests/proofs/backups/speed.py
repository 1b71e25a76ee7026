"""5 GB in the app's shape: our backup and restore beside pgBackRest by hand, pg_dump | zstd | age, and pg_restore; and what
users notice while a backup runs.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.client import Lab
from tests.load import Load
from tests.proofs.backups.host import Evidence, idle, listed, must, on_host, sql
from tests.proofs.backups.restores import discard_kept

GIGABYTES = 5
# Notifications with the text of a mail: of the app's tables the one that grows. 3 kB a row, a third of it repeated.
BATCH = """
insert into notifications (org_id, recipient_id, type, status, template_data, retry_count, created_at)
select 'proof', 'proof', 'assignment', 'sent',
       json_build_object('name', md5(g::text), 'text', (select string_agg(md5((g * k)::text), ' ') from generate_series(1, 60) k),
                         'footer', repeat('You get this because you signed up to help. ', 20))::text, 0, now()
  from generate_series({first}, {last}) g
"""
ROWS_A_BATCH = 100_000


@dataclass
class Watched:
    """Seconds of a piece of work, and the most memory that its processes held (resident, MB)."""

    seconds: float = 0.0
    peak_mb: float = 0.0
    _stopped: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watched(lab: Lab, names: str) -> Iterator[Watched]:
    """Sample once a second what processes of these names hold on the database's host."""
    found = Watched()

    def sample() -> None:
        while not found._stopped.wait(1.0):
            text = on_host(lab, f"ps -C {names} -o rss=").said
            found.peak_mb = max(found.peak_mb, sum(int(word) for word in text.split() if word.isdigit()) / 1000)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        yield found
    finally:
        found.seconds = round(time.monotonic() - began, 1)
        found._stopped.set()
        thread.join(timeout=30)
        found.peak_mb = round(found.peak_mb)


def beside_others(lab: Lab, gigabytes: int = GIGABYTES) -> Evidence:
    """Each way once, one after another, on the same host and the same database."""
    idle(lab)
    size = filled(lab, gigabytes)
    rows: dict[str, Any] = {}
    with watched(lab, "pgbackrest,python") as ours:
        must(on_host(lab, "signupflow-backup run", seconds=3600))
    newest = [copy for copy in listed(lab)["backups"] if copy["repository"] == 1][-1]
    rows["signupflow-backup run: both repositories, read back, dumps"] = shown(ours, newest["stored_bytes"])
    rows["of it, the backup in object storage"] = {"seconds": _seconds(newest), "stored_mb": round(newest["stored_bytes"] / 1e6)}
    with watched(lab, "pgbackrest") as by_hand:
        must(on_host(lab, "docker exec -u postgres signupflow-postgres pgbackrest --repo=1 --type=full backup", seconds=3600))
    rows["pgBackRest by hand, object storage"] = shown(by_hand, newest["stored_bytes"])
    must(on_host(lab, "apt-get -q install -y --no-install-recommends zstd age", seconds=600))
    recipient = must(on_host(lab, "grep -o 'age1[a-z0-9]*' /etc/signupflow/backup/backup.json")).said.split()[0]
    dump = (
        f"docker exec -u postgres signupflow-postgres pg_dump -d signupflow | zstd -3 -T2 | age -r {recipient} > /root/dump.age"
    )
    with watched(lab, "pg_dump,zstd,age") as piped:
        must(on_host(lab, f"sh -c '{dump}'", seconds=3600))
    stored = int(must(on_host(lab, "stat -c %s /root/dump.age")).said)
    rows["pg_dump | zstd | age, to the host's disk, never read back"] = shown(piped, stored)
    must(on_host(lab, "rm /root/dump.age"))
    rows |= restored(lab)
    return {"database_bytes": size, "ways": rows, "p99": beside_users(lab)}


def restored(lab: Lab) -> dict[str, Any]:
    """Ours in place, checks included; and pg_restore with two jobs into a database beside it."""
    with watched(lab, "pgbackrest,python") as ours:
        said = must(on_host(lab, "signupflow-restore --target production --force", seconds=7200)).said
    discard_kept(lab)
    lines = [line.strip() for line in said.splitlines() if " s  " in line]
    psql = "docker exec -u postgres signupflow-postgres"
    must(on_host(lab, f"{psql} pg_dump -Fc -Z zstd:3 -d signupflow -f /var/lib/postgresql/proof.dump", seconds=3600))
    must(on_host(lab, f"{psql} createdb proof_restore"))
    with watched(lab, "pg_restore") as theirs:
        must(on_host(lab, f"{psql} pg_restore -j2 -d proof_restore /var/lib/postgresql/proof.dump", seconds=3600))
    must(on_host(lab, f"{psql} sh -c 'dropdb proof_restore; rm /var/lib/postgresql/proof.dump'"))
    return {
        "signupflow-restore: files, WAL, checks, exchange, full backup": shown(ours, 0) | {"said": lines},
        "pg_restore -j2": shown(theirs, 0),
    }


def beside_users(lab: Lab, rate: int = 50, seconds: float = 60) -> dict[str, Any]:
    """p99 of short requests that read the database, without a backup and while one runs."""
    with Load(lab, rate, seconds, path="/health") as without:
        without.until(seconds)
    run = subprocess.Popen([*lab.ssh_command(lab.the("db")), "sudo signupflow-backup run"], stdout=subprocess.DEVNULL)
    with Load(lab, rate, 3600, path="/health") as during:
        run.wait(timeout=3600)
    assert run.returncode == 0
    return {"without": without.report.as_dict(), "while_a_backup_runs": during.report.as_dict()}


def filled(lab: Lab, gigabytes: int) -> int:
    """Rows until the database has that size; its size in bytes."""
    sql(
        lab,
        "insert into organizations (id, name) values ('proof', 'Proof') on conflict do nothing;"
        " insert into people (id, org_id, name, timezone, language, status, is_sample)"
        " values ('proof', 'proof', 'Proof', 'UTC', 'en', 'active', false) on conflict do nothing",
    )
    first = 1
    while _size(lab) < gigabytes * 10**9:
        sql(lab, BATCH.format(first=first, last=first + ROWS_A_BATCH - 1))
        first += ROWS_A_BATCH
    sql(lab, "vacuum analyze notifications")
    sql(lab, "checkpoint")
    return _size(lab)


def _size(lab: Lab) -> int:
    return int(sql(lab, "select pg_database_size('signupflow')"))


def shown(found: Watched, stored: int) -> dict[str, Any]:
    row: dict[str, Any] = {"seconds": found.seconds, "peak_mb": found.peak_mb}
    return row | ({"stored_mb": round(stored / 1e6)} if stored else {})


def _seconds(copy: dict[str, Any]) -> float:
    return (datetime.fromisoformat(copy["ended"]) - datetime.fromisoformat(copy["started"])).total_seconds()
