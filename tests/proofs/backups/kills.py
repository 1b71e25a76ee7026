"""SIGKILL at any moment of a backup or a restore: nothing is lost, no lock is left, the next run succeeds."""

from __future__ import annotations

import random
import subprocess
import time
from typing import Any

from lab.client import Lab
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
COMMANDS = ("signupflow-backup run", "signupflow-restore --target production --force")


def at_random_moments(lab: Lab, times: int = 10, seed: int = 6) -> Evidence:
    """So many kills that hit something: half of them a backup, half a restore; half the command, half pgBackRest.

    A run that had ended, or had no pgBackRest just then, was not hit: another moment is drawn.
    """
    idle(lab)
    sql(lab, "drop table if exists proof_kills; create table proof_kills as select g as n from generate_series(1, 5000) g")
    undisturbed = {command: _seconds(lab, command) for command in COMMANDS}
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    missed = 0
    while len(rows) < times:
        command, victim = COMMANDS[len(rows) % 2], (COMMAND, PGBACKREST)[len(rows) // 2 % 2]
        row = _killed(lab, command, victim, draw.uniform(0.3, undisturbed[command]))
        if row["ended"]:
            rows.append(row)
        else:
            missed += 1
            assert missed < 3 * times, "nothing is hit"
    sql(lab, "drop table proof_kills")
    discard_kept(lab)
    return {"undisturbed_seconds": undisturbed, "kills": rows, "drawn_again": missed}


def _seconds(lab: Lab, command: str) -> float:
    began = time.monotonic()
    must(on_host(lab, command))
    return round(time.monotonic() - began, 1)


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
    # The host's disk keeps the newest seven; in object storage nothing is old enough to go.
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
