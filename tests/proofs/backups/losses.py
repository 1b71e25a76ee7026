"""The loss of everything."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from lab.client import ROOT, Lab
from tests.proofs.backups.host import Evidence, backup, idle, listed, must, sql
from tests.proofs.backups.restores import Writer

# archive_timeout, and the seconds that an upload takes.
ARCHIVE_SECONDS = 60


def lost_and_rebuilt(lab: Lab, seconds_of_writes: float = 130) -> Evidence:
    """The host is destroyed under steady writes and rebuilt from the object storage: what is lost, and times in parts."""
    idle(lab)
    if not listed(lab)["backups"]:
        must(backup(lab))
    parts: dict[str, float] = {}

    def part(name: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        result = work()
        parts[name] = round(time.monotonic() - began, 1)
        return result

    host = lab.the("db")
    with Writer(lab) as writer:
        if seconds_of_writes < ARCHIVE_SECONDS:
            # Too short for a segment to be closed by itself.
            sql(lab, "select pg_switch_wal()")
        time.sleep(seconds_of_writes)
        _lab(lab, "destroy", host)
        acknowledged = list(writer.acknowledged)
    began = time.monotonic()
    part("an empty host", lambda: _lab(lab, "up"))
    part("bootstrap", lambda: lab.pyinfra("-y", "--user", "root", *lab.not_bootstrapped(), deploy="deploys/bootstrap.py"))
    dry = lab.pyinfra("--dry", deploy="deploys/disaster_recovery.py")
    assert "Restore the cluster to the last archived change" in dry.stdout + dry.stderr
    part("disaster_recovery", lambda: lab.pyinfra("-y", deploy="deploys/disaster_recovery.py"))
    part("healthy over HTTPS", lambda: lab.wait_for_health(lab["domains"][0], seconds=90))
    total = time.monotonic() - began
    kept = [int(line) for line in sql(lab, f"select n from {writer.table} order by n").splitlines()]
    times = dict(acknowledged)
    last_kept = max((number for number in kept if number in times), default=None)
    assert last_kept is not None, "nothing that was acknowledged is there"
    # Whatever was acknowledged before the last kept row is there as well: no hole.
    assert set(times) & set(range(last_kept)) <= set(kept)
    gap = acknowledged[-1][1] - times[last_kept]
    assert gap < 60, f"the last {gap:.0f} s are lost"
    sql(lab, f"drop table {writer.table}")
    idle(lab)
    return {
        "acknowledged": len(acknowledged),
        "last_acknowledged": acknowledged[-1][0],
        "last_kept": last_kept,
        "seconds_lost": round(gap, 1),
        "seconds": parts,
        "seconds_in_all": round(total, 1),
        "backups_after": len(listed(lab)["backups"]),
    }


def _lab(lab: Lab, verb: str, *words: str) -> None:
    command = [sys.executable, "-m", "lab", verb, "--name", lab["name"], *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
