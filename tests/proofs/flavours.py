"""Hosts with a past: for each flavour of the lab, what `init`, `doctor`, a dry run, a deploy and a second run make of it.

Each works, or is refused by a line that says what to do, before anything was changed. Packages, files under /etc and listening
ports are compared before and after: nothing is gone, and nothing is changed that a deploy does not say it changes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import flavours
from lab.client import ROOT, Lab
from lab.compare import announced, done
from tests.labs import up
from tests.proofs.initialising import fingerprint

Evidence = dict[str, Any]
WORKS = "works"
STEPS = ("init", "bootstrap", "doctor", "dry run", "deploy", "second run")


@dataclass(frozen=True)
class Expected:
    """What each step says instead of working, as far as it does; `allow` is what a person says to have it go on all the same."""

    refused: tuple[tuple[str, str], ...] = ()
    allow: tuple[str, ...] = ()

    def of(self, step: str) -> str:
        return next((line for name, line in self.refused if name == step), "")

    @property
    def last(self) -> str:
        """The step after which there is nothing more to try; empty where all are."""
        return next((name for name in STEPS if self.of(name) and name in ("bootstrap", "deploy")), "")


def at(line: str, *steps: str) -> tuple[tuple[str, str], ...]:
    return tuple((step, line) for step in steps)


LATER = ("doctor", "dry run", "deploy")
ALL = ("init", *LATER)
EXPECTED = {flavour.name: Expected() for flavour in flavours.ALL} | {
    "docker-ce": Expected(at("restarts it under wiki: allow that with --data allow_interrupts=docker", *LATER)
                          + at("restarts it under wiki", "init"), ("--data", "allow_interrupts=docker")),
    "debian-12-bare": Expected(at("no Docker is there, and Debian 12's archive has 20.10", *ALL)),
    "containerd-io": Expected(at("would remove containerd.io", *ALL)),
    "sshd-no-include": Expected(at("has no `Include /etc/ssh/sshd_config.d/*.conf`", *ALL)),
    "sshd-dropins": Expected(at("yes in place of no, by /etc/ssh/sshd_config.d/00-provider.conf:2", *ALL)),
    "nginx-on-80": Expected(at("taken: 80 by nginx", *ALL)),
    "sudo-password": Expected(at("asks for a password", "init", "bootstrap")),
    "small": Expected(at("MB of", "init")),
    "deploy-user": Expected(at("lets in jenkins@build", "init", "bootstrap")),
    "other-environment": Expected(at("shop of shop-production", "bootstrap")),
}  # fmt: skip

SEEN = r"""
dpkg-query -W -f 'package ${db:Status-Abbrev} ${Package} ${Version}\n' | sed -n 's/^package .i. */package /p'
find /etc -xdev -type f -exec sha256sum {} + | sed 's/^\([0-9a-f]*\)  /file \1 /'
find /etc -xdev -type l -printf 'file %l %p\n'
ss -Hltn | awk '{ print "port", $4 }' | grep -v '127\.0\.0\.\|\[::1\]' | sed 's/port .*:/port /' | sort -u
if command -v docker >/dev/null; then docker ps --format '{{.Names}}' | while read -r name; do
  docker inspect --format 'container {{.Name}} {{.Id}} {{.State.StartedAt}}' "$name"; done; fi
true
"""
# What a deploy says that it changes: the login, its own files, Docker's configuration; and what dpkg keeps of all packages.
SAID = re.compile(
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/ld\.so\.cache$|/etc/docker/daemon\.json$|/etc/signupflow/"
    r"|/etc/(ssh/sshd_config\.d/10-signupflow\.conf|apt/apt\.conf\.d/52-signupflow|systemd/journald\.conf\.d/10-signupflow\.conf)$"
)


@dataclass(frozen=True)
class Seen:
    """What is on a host: package to version, file to digest, ports, containers with their beginnings."""

    packages: dict[str, str]
    files: dict[str, str]
    ports: frozenset[str]
    containers: dict[str, str]


def seen(lab: Lab, host: str = "h1") -> Seen:
    """By way of Docker, so that it does not depend on a login."""
    command = [sys.executable, "-m", "lab", "exec", "--name", lab["name"], host, "--", "sh", "-c", SEEN]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
    rows = [line.split(" ", 2) for line in text.splitlines()]
    return Seen(
        {row[1]: row[2] for row in rows if row[0] == "package"},
        {row[2]: row[1] for row in rows if row[0] == "file"},
        frozenset(row[1] for row in rows if row[0] == "port"),
        {row[1]: row[2] for row in rows if row[0] == "container"},
    )


def differences(before: Seen, after: Seen) -> dict[str, list[str]]:
    """What is gone or otherwise than it was, and was not said; what came is listed where it listens."""
    return {
        "packages_removed": sorted(set(before.packages) - set(after.packages)),
        "packages_changed": sorted(name for name, is_ in before.packages.items() if after.packages.get(name, is_) != is_),
        "files_removed": sorted(path for path in before.files if path not in after.files),
        "files_changed": sorted(
            path for path, digest in before.files.items() if after.files.get(path, digest) != digest and not SAID.match(path)
        ),
        "ports_closed": sorted(before.ports - after.ports),
        "ports_opened": sorted(after.ports - before.ports - {"80", "443"}),
        "containers_restarted": sorted(name for name, is_ in before.containers.items() if after.containers.get(name) != is_),
    }  # fmt: skip


def said(output: str, line: str) -> str:
    """The line of an output that holds a text, or its last ones."""
    rows = [row.strip() for row in output.splitlines() if row.strip()]
    return next((row for row in rows if line in row), "NOT SAID: " + " | ".join(rows[-4:]))


def init(lab: Lab, login: str) -> tuple[int, str]:
    """The checks of `signupflow init`, as a person types it; what it writes goes with its folder."""
    host, pinned = lab["hosts"][0], Path(lab["known_hosts"]).read_text()
    port = flavours.BY_NAME[lab["flavour"]].ssh_port if lab["flavour"] else 22
    name = host["address"] if port == 22 else f"[{host['address']}]:{port}"
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "init", "lab", "--directory", folder, "--host", f"{host['fqdn']}={host['address']}:edge,app,db",
            "--host-key-fingerprint", f"{host['fqdn']}={fingerprint(pinned, name)}", "--ssh-user", login,
            "--domain", lab["domains"][0], "--acme-email", f"operations@{lab['zone']}", "--acme-directory", lab["acme_directory"],
            "--acme-ca-file", lab["acme_ca_file"], "--ssh-key", lab["ssh_key"], "--public-key", f"{lab['ssh_key']}.pub",
            "--registry-mirror", lab["registry_mirror"], "--traefik-image", lab["traefik_image"], "--dns-server", lab["dns"],
            "--age-key-file", f"{folder}/age.key", "--set", f"public_ca_file={lab['ca_file']}", "--profile", "production",
        ]  # fmt: skip
        done_ = _run(lab, [sys.executable, "-m", "signupflow", *words])
    return done_.returncode, done_.stdout + done_.stderr


def _run(lab: Lab, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **lab.person(), "COLUMNS": "200"}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", check=False,
    )  # fmt: skip


def one(name: str, flavour: str) -> Evidence:
    """One flavour on a new machine, through every step."""
    expected = EXPECTED[flavour]
    made = flavours.BY_NAME[flavour]
    lab = up(name, "--flavour", flavour, "--hosts", str(made.hosts))
    before = seen(lab)
    row: Evidence = {"flavour": flavour, "what": made.what, "steps": {}}

    def step(which: str, act: Callable[[], tuple[int, str]]) -> bool:
        line, (code, output) = expected.of(which), act()
        ended = said(output, line) if line else WORKS
        row["steps"][which] = ended if bool(code) == bool(line) else f"EXIT {code}: {said(output, line or 'Error')}"
        return code == 0

    def run(*words: str, deploy: str = "deploys/production.py") -> tuple[int, str]:
        ended = lab.pyinfra(*words, deploy=deploy, check=False)
        return ended.returncode, ended.stderr + ended.stdout

    step("init", lambda: init(lab, made.login))
    host = lab["hosts"][0]["fqdn"]
    bootstrapped = step("bootstrap", lambda: run("-y", "--user", made.login, "--limit", host, deploy="deploys/bootstrap.py"))
    if not bootstrapped:
        row["changed"] = differences(before, seen(lab))
        return row
    step("doctor", lambda: run("-y", "--limit", host, deploy="deploys/doctor.py"))
    step("dry run", lambda: run("--dry", "--limit", host))
    if flavour == "apt-locked":
        lab.ssh("h1", "sudo systemctl start --no-block first-boot")
    ready = seen(lab)
    deployed = step("deploy", lambda: run("-y", "--limit", host))
    if not deployed:
        row["changed_by_the_refused_deploy"] = differences(ready, seen(lab)) | {
            "packages_added": sorted(set(seen(lab).packages) - set(ready.packages)),
            "files_added": sorted(set(seen(lab).files) - set(ready.files)),
        }
        if not expected.allow:
            row["changed"] = differences(before, seen(lab))
            return row
        allowed = run("-y", "--limit", host, *expected.allow)
        row["steps"]["deploy"] += f"; with {' '.join(expected.allow)}: {WORKS if not allowed[0] else said(allowed[1], 'Error')}"
    health = lab.wait_for_health(lab["domains"][0], seconds=60)
    again = lab.pyinfra("-y", "--json", "--limit", host)
    changes = sorted(str(item) for item in done(json.loads(again.stdout), "success"))
    plan = announced(json.loads(lab.pyinfra("--dry", "--json", "--limit", host).stdout))
    row["steps"]["second run"] = WORKS if not changes and not plan else f"CHANGES {changes} {sorted(map(str, plan))}"
    row["health"] = health["status"]
    row["changed"] = differences(before, seen(lab))
    return row


def holds(row: Evidence) -> bool:
    """Whether a row of the table is as it should be."""
    steps = "".join(row["steps"].values())
    wrong = [word for word in ("EXIT ", "NOT SAID", "CHANGES ", "Error") if word in steps]
    unsaid = [*row["changed"].values(), *row.get("changed_by_the_refused_deploy", {}).values()]
    return not wrong and not any(unsaid)


def table(name: str, wanted: Sequence[str] = ()) -> Evidence:
    """All flavours, or those that are named, one after another: each on a machine that has nothing of the one before."""
    rows = []
    for flavour in wanted or list(flavours.BY_NAME):
        rows.append(one(name, flavour))
        subprocess.run(
            [sys.executable, "-m", "lab", "destroy", "--name", name, "h1"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    evidence = {"rows": rows, "held": sum(map(holds, rows))}
    assert all(map(holds, rows)), evidence
    return evidence
