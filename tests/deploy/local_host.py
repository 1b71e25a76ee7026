"""A host that is this machine: the real pyinfra runs the real deploys on it, in folders of its own and with a Docker that is told
what to say. The other hosts of its inventory are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyrage

from lab.client import ROOT
from signupflow import secretfile
from signupflow.release.ledger import Record
from signupflow.routing import RouteTable
from signupflow.secrets_cli import generated

PYINFRA = str(Path(sys.executable).with_name("pyinfra"))
DIGEST = "@sha256:" + "5e1f" * 16
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3rV2o0l0yY6o2zq0s8b1Zk7hXw5pQe9dKfJm4TnUaC ada"
SETTINGS = {
    "environment": "lab", "domains": ["app.invalid"], "acme_email": "a@app.invalid", "deploy_public_keys": [KEY],
    "traefik_image": f"traefik:v3{DIGEST}", "postgres_image": f"postgres:17{DIGEST}", "app_image": f"acme/app:2.0{DIGEST}",
    "public_address": "127.0.0.1", "app_migration_command": [],
}  # fmt: skip
# Runs what pyinfra wants run as root, with the host's folders elsewhere.
SUDO = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
words=("${@//\\/var\\/lib\\/signupflow/$HOST_FILES/var}")
exec "${words[@]//\\/opt\\/signupflow/$HOST_FILES/opt}"
"""
DOCKER = """#!/bin/sh
case "$1 $2" in
  "ps -aq") cat "$HOST_FILES/ids";;
  "inspect --format") cat "$HOST_FILES/containers";;
  "image inspect") cat "$HOST_FILES/images" 2>/dev/null | grep -F -- "$5" || { echo "No such image" >&2; exit 1; };;
esac
"""


@dataclass
class LocalHost:
    """`away` are app hosts that take no SSH; they stand first in the inventory."""

    folder: Path
    away: tuple[str, ...] = ()
    data: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True)
        for name, text in (("sudo", SUDO), ("docker", DOCKER)):
            program = self.folder / "bin" / name
            program.write_text(text)
            program.chmod(0o755)
        for name in ("ids", "containers", "images"):
            (self.folder / name).touch()
        # The database is here: an app that has served is not deployed to a host without one.
        cluster = self.folder / "var" / "postgres" / "cluster"
        cluster.mkdir(parents=True)
        (cluster / "PG_VERSION").write_text("17\n")
        key = pyrage.x25519.Identity.generate()
        (self.folder / "key").write_text(f"{key}\n")
        (self.folder / "key").chmod(0o600)
        secretfile.encrypt(self.folder / "lab.age", generated(), [str(key.to_public())])
        # Nobody listens at port 9 of this machine; the port pyinfra is told must be one that the firewall leaves open.
        gone = {"ssh_hostname": "127.0.0.9", "ssh_port": 9, "public_tcp_ports": [9, 22, 80, 443]}
        common = {**SETTINGS, "public_tcp_ports": [9, 22, 80, 443], "secrets_file": str(self.folder / "lab.age"), **self.data}
        hosts = [(name, {**common, **gone, "private_address": f"10.0.0.{n}"}) for n, name in enumerate(self.away, 3)]
        here = ("@local", {**common, "private_address": "10.0.0.2"})
        text = f"app = {[*hosts, here]!r}\nedge = ['@local']\ndb = ['@local']\n"
        (self.folder / "inventory.py").write_text(text)

    def history(self, *records: Record) -> None:
        path = self.folder / "var" / "releases" / "ledger.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps({**asdict(record), "app": "signupflow", "previous": ""}) + "\n" for record in records))

    def serves(self, routes: RouteTable, *containers: tuple[int, str, str]) -> None:
        """`containers` are generation, version and image."""
        path = self.folder / "opt" / "traefik" / "config" / "dynamic" / "app-signupflow-servers.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(routes.render("signupflow", "/health", "app.invalid"))
        rows = [
            {
                "name": f"/signupflow-g{generation}-app-{number}", "image": image, "reference": image, "status": "running",
                "health": "none", "restart": "unless-stopped", "started": "2026-11-24T10:00:00Z",
                "labels": {"org.signupflow.generation": str(generation), "org.opencontainers.image.version": version},
            }
            for number, (generation, version, image) in enumerate(containers)
        ]  # fmt: skip
        (self.folder / "ids").write_text("x\n" * len(rows))
        (self.folder / "containers").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, deploy: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A deploy, as people run it; what they would read in one text."""
        return subprocess.run(
            [PYINFRA, str(self.folder / "inventory.py"), f"deploys/{deploy}.py", *(words or ("-y",))],
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "HOST_FILES": str(self.folder),
                "SIGNUPFLOW_AGE_KEY_FILE": str(self.folder / "key"),
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
