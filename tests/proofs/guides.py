"""The guides' command blocks, executed on a lab as they stand there; what has to be another word in a lab is listed here."""

from __future__ import annotations

import os
import re
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

from lab.client import PYINFRA, ROOT, Lab
from tests.docs.guides import Block, blocks, files
from tests.proofs.backups.host import backup, idle, must, on_host, sql
from tests.proofs.backups.restores import discard_kept

Evidence = dict[str, Any]

POINT = "before-1.4.0"
# Of a service that is done, `systemctl status` says so by 3 (systemctl(1), EXIT STATUS): that is no failure of the guide.
ON_HOSTS = 'systemctl() { command systemctl "$@" || test $? = 3; }\n'


def executed(lab: Lab) -> Evidence:
    """Run every block that says where it runs, in the order of the guides; name those that do not run, and why."""
    prepared(lab)
    words = replaced(lab)
    ran, not_run = [], []
    for block in (block for path in files() for block in blocks(path)):
        if block.why_not:
            not_run.append({"where": block.where, "why": block.why_not})
        if block.on:
            ran.append(_run(lab, block, words))
    discard_kept(lab)
    sql(lab, "drop schema if exists repair cascade")
    assert ran
    failed = [row for row in ran if row["exit"]]
    evidence = {"executed": ran, "not_executed": not_run}
    assert not failed, evidence
    return evidence


def prepared(lab: Lab) -> None:
    """What the guides take for granted: a backup, a release that was announced by a restore point, both dumps."""
    idle(lab)
    must(backup(lab))
    sql(lab, f"select pg_create_restore_point('{POINT}')")
    must(on_host(lab, f"sh -c \"date -u +'%s {POINT}' >> /var/lib/signupflow/backup/restore-points\""))
    for kind in ("weekly", "monthly"):
        must(on_host(lab, f"signupflow-backup dump {kind}"))


def replaced(lab: Lab) -> list[tuple[str, str]]:
    """Patterns of the guides, and what stands for them in a lab."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    # Something has to come after that second.
    time.sleep(1.1)
    return [
        (r"\binventory\.py\b", lab["inventory"]),
        (r"YOUR-DOMAIN", lab["domains"][0]),
        (r"ssh HOST", f"ssh deploy@{lab.address(lab.the('edge'))}"),
        (r"2026-11-27T02:15:00Z|(?<=--point-in-time )\.\.\.", moment),
        (r"--key offline\.key", f"--key {lab['escrow_key_file']} --endpoint {lab['s3_endpoint_address']}"),
        # Nobody types the environment's name here.
        (r"signupflow-restore --target production(?! --dry-run)", "signupflow-restore --target production --force"),
    ]


def _run(lab: Lab, block: Block, words: list[tuple[str, str]]) -> dict[str, Any]:
    script = block.body
    for pattern, word in words:
        script = re.sub(pattern, word.replace("\\", r"\\"), script)
    began = time.monotonic()
    if block.on == "controller":
        argv, head = ["bash", "-euo", "pipefail", "-c"], _functions(lab)
        # pyinfra asks before the first change.
        done = subprocess.run(
            [*argv, head + script], cwd=ROOT, env=_environment(lab), input="y\n" * 9, capture_output=True, text=True, check=False
        )
    else:
        argv = [*lab.ssh_command(lab.the(block.on)), "bash -euo pipefail -s"]
        # Commands in a container would read the rest of the script.
        lines = "\n".join(f"{{ {line}\n}} </dev/null" for line in script.splitlines() if line.split("#")[0].strip())
        done = subprocess.run(argv, input=ON_HOSTS + lines, capture_output=True, text=True, errors="replace", check=False)
    row: dict[str, Any] = {
        "where": block.where,
        "on": block.on,
        "exit": done.returncode,
        "seconds": round(time.monotonic() - began, 1),
    }
    return row | ({"said": (done.stdout + done.stderr)[-1500:]} if done.returncode else {})


def _environment(lab: Lab) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{os.path.dirname(PYINFRA)}:{os.environ['PATH']}",
        "SIGNUPFLOW_INVENTORY": lab["inventory"],
    }


def _functions(lab: Lab) -> str:
    """curl and ssh as a machine has them on which the lab's names and keys are known."""
    keys = f"-i {lab['ssh_key']} -o UserKnownHostsFile={lab['known_hosts']} -o StrictHostKeyChecking=yes -o LogLevel=ERROR"
    resolve = f"--cacert {lab['ca_file']} --resolve {lab.resolve(lab['domains'][0])} --fail --silent --show-error"
    return f'ssh() {{ command ssh {keys} "$@"; }}\ncurl() {{ command curl {resolve} "$@"; }}\n'
