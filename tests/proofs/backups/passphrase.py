"""Rotate the backups' passphrase under writes; interrupted, the same command continues."""

from __future__ import annotations

import subprocess
import sys
import time

from lab.client import POLITELY, ROOT, Lab
from signupflow.settings.backups import PASSPHRASE
from signupflow.shared.places import BACKUP_SECRETS
from tests.proofs.backups.host import Evidence, backup, idle, listed, must, objects, on_host, sql
from tests.proofs.backups.restores import Writer
from tests.proofs.leaks import planted
from tests.proofs.releasing import QUICK, options

# Of a rotation whose first step's backup has begun.
UNDER_WAY = "signupflow-backup run"


def replaced(lab: Lab) -> Evidence:
    """At every look there is a backup that is listed; at the end the old passphrase opens nothing and every row comes back."""
    idle(lab)
    if not listed(lab)["backups"]:
        must(backup(lab))
    old, first = planted(lab)[PASSPHRASE], stores(lab)
    with Writer(lab) as writer:
        cut_off = rotated(lab, until=UNDER_WAY)
        meanwhile, between = [len(listed(lab)["backups"])], stores(lab)
        idle(lab)
        began = time.monotonic()
        done = rotated(lab)
        seconds = round(time.monotonic() - began, 1)
        meanwhile.append(len(listed(lab)["backups"]))
        writer.until(20)
        last = writer.acknowledged[-1][0]
        sql(lab, "select pg_switch_wal()")
    after = stores(lab)
    dry = on_host(lab, "signupflow-restore --target production --dry-run --from object-storage")
    restored = must(on_host(lab, "signupflow-restore --target production --force --from object-storage"))
    kept = int(sql(lab, f"select count(*) from {writer.table} where n <= {last}"))
    sql(lab, f"drop table {writer.table}")
    evidence: Evidence = {
        "cut_off_while": cut_off[-1] if cut_off else "",
        "goes_on": next((line for line in done if "goes on from a run before" in line), ""),
        "seconds_of_the_second_run": seconds,
        "backups_listed_meanwhile": meanwhile,
        "stores": {"before": first, "in_between": between, "after": after},
        "old_passphrase_on_the_host": old in on_host(lab, f"cat {BACKUP_SECRETS}/pgbackrest.conf").said,
        "another_passphrase": planted(lab)[PASSPHRASE] != old,
        "dry_run_of_a_restore": dry.code,
        "restored_from_the_object_store": restored.code,
        "acknowledged": last,
        "there_after_the_restore": kept,
    }
    assert done[-1].startswith("rotated; commit"), done[-5:]
    assert all(meanwhile), evidence
    assert len(between) == 2, evidence
    assert len(after) == 1, evidence
    assert after != first, evidence
    assert not evidence["old_passphrase_on_the_host"], evidence
    assert evidence["another_passphrase"], evidence
    assert dry.code == 0, dry.said
    assert kept == last, evidence
    return evidence


def rotated(lab: Lab, until: str = "") -> list[str]:
    """What the command said: to its end, which is good, or to a SIGKILL as soon as it says `until`."""
    words = ["rotate", "backup-passphrase", "-y", "--inventory", lab["inventory"], *options(**QUICK)]
    command = [*POLITELY, sys.executable, "-u", "-m", "signupflow", *words]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line.rstrip())
            if until and until in line:
                process.kill()
                break
    assert until or process.returncode == 0, "\n".join(lines[-40:])
    assert not until or until in lines[-1], "\n".join(lines[-40:])
    return lines


def stores(lab: Lab) -> list[str]:
    """The stores that the bucket holds: the first has no name of its own."""
    found = set()
    for key in objects(lab, "lab/"):
        parts = key.split("/")
        if parts[1] in ("archive", "backup"):
            found.add("first")
        elif parts[2:3] and parts[2] in ("archive", "backup"):
            found.add(parts[1])
    return sorted(found)
