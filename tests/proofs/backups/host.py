"""The database's host, its bucket and the lab's sink, as the proofs of backups ask them."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.client import Lab
from lab.waiting import wait_for
from signupflow.shared import s3

Evidence = dict[str, Any]

STATE = "/var/lib/signupflow/backup"
PSQL = "sudo docker exec -i -u postgres signupflow-postgres psql -X -q -At -v ON_ERROR_STOP=1 -d signupflow"


# Ended before the newest backup is looked for; a first deploy begins one.
IDLE_SECONDS = 300.0


@dataclass(frozen=True)
class Done:
    """How a command on the host ended, and all that it said."""

    code: int
    said: str

    @property
    def error(self) -> str:
        """The line that says why it failed."""
        return next((line for line in self.said.splitlines() if line.startswith("Error: ")), "")


def on_host(lab: Lab, command: str, stdin: str = "", seconds: float = 900) -> Done:
    """Run a command as root on the database's host."""
    argv = [*lab.ssh_command(lab.the("db")), f"sudo {command}"]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    return Done(done.returncode, done.stdout + done.stderr)


def sql(lab: Lab, query: str) -> str:
    return lab.ssh(lab.the("db"), PSQL, stdin=query).strip()


def idle(lab: Lab) -> None:
    """Until no backup runs, as the first deploy's may."""

    def is_idle() -> bool:
        return on_host(lab, "systemctl is-active signupflow-backup.service").said.strip() not in ("active", "activating")

    wait_for(is_idle, IDLE_SECONDS, "a backup runs for too long", every=0.5)


def backup(lab: Lab) -> Done:
    idle(lab)
    return on_host(lab, "signupflow-backup run")


def must(done: Done) -> Done:
    assert done.code == 0, done.said[-3000:]
    return done


def listed(lab: Lab) -> dict[str, Any]:
    done = on_host(lab, "signupflow-backup list --json")
    assert done.code == 0, done.said
    found: dict[str, Any] = json.loads(done.said)
    return found


def metrics(lab: Lab) -> dict[str, float]:
    """What the host tells whoever collects metrics."""
    text = on_host(lab, f"cat {STATE}/signupflow_backup.prom").said
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def bucket(lab: Lab) -> Any:
    """The lab's S3, from this machine."""
    return s3.connect(
        lab["s3_endpoint_address"],
        lab["s3_region"],
        lab["s3_access_key"],
        lab["s3_secret_key"],
        ca_file=lab["s3_ca_file"],
        proxies=False,
    )


@contextmanager
def stored(lab: Lab) -> Iterator[Any]:
    client = bucket(lab)
    try:
        yield client
    finally:
        client.close()


def objects(lab: Lab, prefix: str = "") -> dict[str, int]:
    """Key to size of what is in the bucket."""
    with stored(lab) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=lab["s3_bucket"], Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def messages(lab: Lab, since: int = 0) -> list[dict[str, Any]]:
    """What people were told: mails and webhooks in the lab's sink."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{lab['sink_url']}/messages?since={since}", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return [item for item in found if item["kind"] in ("mail", "webhook")]


def newest_message(lab: Lab) -> int:
    return max((item["id"] for item in messages(lab)), default=0)


def told(lab: Lab, since: int, words: str) -> dict[str, int]:
    """How many mails and webhooks since then speak of something."""
    found = {"mail": 0, "webhook": 0}
    for item in messages(lab, since):
        text = item["subject"] + item["body"] if item["kind"] == "mail" else json.dumps(item["json"], ensure_ascii=False)
        found[item["kind"]] += words in text
    return found


def labels(lab: Lab) -> set[str]:
    """Every backup that is listed, with its repository."""
    return {f"{copy['repository']}/{copy['label']}" for copy in listed(lab)["backups"]}
