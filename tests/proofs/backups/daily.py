"""The daily run, the dumps and the drill."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.client import Lab
from tests.proofs.backups.host import STATE, Evidence, idle, listed, metrics, must, objects, on_host, sql, stored


def runs_by_itself(lab: Lab) -> Evidence:
    """The timer is there, what it starts succeeds, both repositories have one more, and all of it is encrypted."""
    idle(lab)
    db = lab.the("db")
    timer = dict(line.split("=", 1) for line in lab.ssh(db, "systemctl show signupflow-backup.timer").splitlines() if "=" in line)
    assert timer["ActiveState"] == "active", timer
    assert timer["UnitFileState"] == "enabled", timer
    assert timer["Persistent"] == "yes", "a run that was missed is caught up"
    left = int(timer["NextElapseUSecRealtime"].split()[0]) if timer["NextElapseUSecRealtime"].isdigit() else None
    before, began = listed(lab), time.time()
    must(on_host(lab, "systemctl start signupflow-backup.service"))
    after, now = listed(lab), metrics(lab)
    new = [copy for copy in after["backups"] if copy["label"] not in [known["label"] for known in before["backups"]]]
    assert sorted(copy["repository"] for copy in new) == [1, 2], new
    assert now["signupflow_backup_last_success_timestamp_seconds"] >= int(began), now
    assert now["signupflow_backup_size_bytes"] > 0, now
    # An operator needs no more than systemd: what, how large, how long, and that it was read back.
    status = on_host(lab, "systemctl status signupflow-backup.service").said
    assert "backed up and read back" in status, status
    return {
        "next": timer["NextElapseUSecRealtime"] if left is None else left,
        "new": new,
        "metrics": now,
        "encrypted": encrypted(lab),
    }


# How a file begins that OpenSSL or age has encrypted.
CIPHERS = (b"Salted__", b"age-encryption.org/v1")


def encrypted(lab: Lab) -> Evidence:
    """Every object of the bucket, and every file on the host's disk, begins as encrypted ones do."""
    keys = [key for key in objects(lab) if not key.endswith(".sha256")]
    assert keys
    clear = []
    with stored(lab) as client:
        for key in keys:
            head = client.get_object(Bucket=lab["s3_bucket"], Key=key, Range="bytes=0-31")["Body"].read()
            if not head.startswith(CIPHERS):
                clear.append(key)
    assert not clear, clear
    heads = 'find /var/lib/signupflow/backup-repository -type f | while read -r f; do echo "$(head -c 8 "$f") $f"; done'
    lines = on_host(lab, "sh -s", stdin=heads).said.splitlines()
    assert lines
    assert all(line.startswith("Salted__ ") for line in lines), [line for line in lines if not line.startswith("Salted__ ")][:3]
    return {"objects": len(keys), "files": len(lines), "in_clear": 0}


def old_dumps_go(lab: Lab) -> Evidence:
    """Dumps beyond their time go once a newer one is proven; the others stay."""
    idle(lab)
    now = datetime.now(UTC)

    def key(kind: str, days: float) -> str:
        return f"dumps/lab/{kind}/{now - timedelta(days=days):%Y%m%dT%H%M%SZ}.dump.age"

    goes = [key("weekly", 91), key("weekly", 200)]
    stays = [key("weekly", 89), key("weekly", 8), key("monthly", 364)]
    with stored(lab) as client:
        for name in (*goes, *stays):
            client.put_object(Bucket=lab["s3_bucket"], Key=name, Body=b"age-encryption.org/v1 planted by a test")
            client.put_object(Bucket=lab["s3_bucket"], Key=f"{name}.sha256", Body=b"planted by a test")
    must(on_host(lab, "signupflow-backup dump weekly"))
    left = objects(lab, "dumps/")
    assert not [name for name in goes if name in left or f"{name}.sha256" in left], left
    assert all(name in left for name in stays), left
    with stored(lab) as client:
        for name in stays:
            for each in (name, f"{name}.sha256"):
                client.delete_object(Bucket=lab["s3_bucket"], Key=each)
    return {"expired": goes, "kept": stays}


def drilled(lab: Lab) -> Evidence:
    """The newest backup becomes an instance that has the live rows; nothing of it is left behind."""
    idle(lab)
    must(on_host(lab, "systemctl start signupflow-restore-drill.service"))
    report: dict[str, Any] = json.loads(on_host(lab, f"cat {STATE}/drill-report.json").said)
    live = int(
        sql(lab, "select count(*) from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'")
    )
    assert report["tables"] == live, report
    left = on_host(lab, "sh -c 'ls /var/lib/signupflow/postgres; docker ps -a --format {{.Names}}'").said
    assert "scratch-" not in left, left
    return report
