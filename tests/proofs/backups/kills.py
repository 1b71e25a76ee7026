"""SIGKILL at any moment of a backup or a restore: nothing is lost, no lock is left, the next run succeeds."""

from __future__ import annotations

import random
import subprocess
import time
from typing import Any

from tests.lab_client import Lab
from tests.proofs.backups.host import Evidence, idle, labels, must, on_host, sql
from tests.proofs.backups.restores import discard_kept

# What is killed: the command with its container, or pgBackRest inside PostgreSQL's and the scratch instance's.
COMMAND = "docker ps -q --filter label=org.signupflow.stack=backup | xargs -r docker kill"
PGBACKREST = """
for stack in postgres scratch; do
  for c in $(docker ps -q --filter label=org.signupflow.stack=$stack); do docker exec -u root $c pkill -KILL pgbackrest; done
done
true
"""
# Seconds that an undisturbed run takes in a lab; moments are drawn from them.
LONGEST = {"signupflow-backup run": 14.0, "signupflow-restore --target production --force": 20.0}


def at_random_moments(lab: Lab, times: int = 10, seed: int = 6) -> Evidence:
    """Half of the kills meet a backup, half a restore; half the command, half pgBackRest."""
    idle(lab)
    must(on_host(lab, "signupflow-backup run"))
    sql(lab, "drop table if exists proof_kills; create table proof_kills as select g as n from generate_series(1, 5000) g")
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(times):
        command = list(LONGEST)[number % 2]
        victim = (COMMAND, PGBACKREST)[number // 2 % 2]
        rows.append(_killed(lab, command, victim, draw.uniform(0.5, LONGEST[command])))
    sql(lab, "drop table proof_kills")
    discard_kept(lab)
    return {"kills": rows}


def _killed(lab: Lab, command: str, victim: str, after: float) -> dict[str, Any]:
    before = labels(lab)
    run = subprocess.Popen(
        [*lab.ssh_command(lab.the("db")), f"sudo {command}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)
    on_host(lab, "sh -s", stdin=victim)
    ended = run.wait(timeout=300)
    # What the timer does every five minutes.
    on_host(lab, "signupflow-backup watch")
    lab.wait_for_health(lab["domains"][0], seconds=60)
    assert sql(lab, "select count(*) from proof_kills") == "5000"
    again = must(on_host(lab, command))
    assert sql(lab, "select count(*) from proof_kills") == "5000"
    after_all = labels(lab)
    gone = {label for label in before - after_all if label.startswith("1/")}
    assert not gone, f"expired: {gone}"
    left = on_host(lab, "sh -s", stdin="ls /var/lib/signupflow/postgres; docker ps -a --format '{{.Names}}'").said
    assert "scratch-" not in left, left
    return {
        "command": command.split(maxsplit=1)[0],
        "killed": "the command" if victim == COMMAND else "pgBackRest",
        "after_seconds": round(after, 1),
        "ended": ended,
        "next_run": again.code,
        "new_backups": len(after_all - before),
    }
