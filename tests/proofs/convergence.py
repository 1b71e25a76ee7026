"""Dry runs are exact, second runs change nothing, one changed variable is one change."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from lab.client import Lab
from lab.compare import announced, compare, done
from lab.waiting import wait_for
from signupflow.engine_client import docker_client

Evidence = dict[str, Any]


def bootstrap(lab: Lab) -> None:
    """Root's key makes the deploy login, on every host where it does not exist yet."""
    if bare := lab.not_bootstrapped():
        lab.pyinfra("-y", "--user", "root", *bare, deploy="deploys/bootstrap.py")


def dry_run_is_exact(lab: Lab, *arguments: str, keep: Path | None = None) -> Evidence:
    """Announce, run, compare. On a fresh host this is the whole way from a bare OS to the app."""
    started = time.monotonic()
    dry = json.loads(lab.pyinfra("--dry", "--json", *arguments).stdout)
    planned = time.monotonic() - started
    started = time.monotonic()
    output = lab.pyinfra("-y", "--json", "-vvv", "--diff", *arguments)
    run = json.loads(output.stdout)
    seconds = time.monotonic() - started
    if keep:
        keep.write_text(output.stdout + output.stderr)
    result = compare(dry, run)
    evidence = {
        "operations": len(run["results"]["operations"]),
        "announced_and_done": len(result.as_announced),
        "done_but_not_announced": [str(step) for step in result.not_announced],
        "announced_but_not_done": [str(step) for step in result.not_done],
        "failed": [str(step) for step in result.failed],
        "dry_run_seconds": round(planned, 1),
        "run_seconds": round(seconds, 1),
    }
    assert result.equal, evidence
    return evidence


def second_run_changes_nothing(lab: Lab, *arguments: str) -> Evidence:
    """Run again, and ask for a plan again: both must say that there is nothing to do."""
    before = _containers(lab)
    assert before.strip(), "nothing runs on any host"
    started = time.monotonic()
    run = json.loads(lab.pyinfra("-y", "--json", *arguments).stdout)
    seconds = time.monotonic() - started
    dry = json.loads(lab.pyinfra("--dry", "--json", *arguments).stdout)
    changes = sorted(str(step) for step in done(run, "success"))
    planned = sorted(str(step) for step in announced(dry))
    evidence = {
        "operations": len(run["results"]["operations"]),
        "changes": changes,
        "planned_changes": planned,
        "containers_unchanged": before == _containers(lab),
        "run_seconds": round(seconds, 1),
    }
    assert not changes, evidence
    assert not planned, evidence
    assert evidence["containers_unchanged"], evidence
    return evidence


def reboot(lab: Lab, host: str = "h1") -> None:
    """Restart a lab host as a machine restarts, and wait until it takes SSH again."""
    subprocess.run(
        [docker_client(), "restart", "--time", "60", f"signupflow-{lab['name']}-{host}"], check=True, capture_output=True
    )
    wait_for(lambda: lab.deploy_login_works(host), 60, f"{host} is unreachable after its restart", every=0.2)


def _containers(lab: Lab) -> str:
    """Ids and start times of everything that runs on the hosts to stay; what a timer runs goes by itself."""
    shown = "'{{if not .HostConfig.AutoRemove}}{{.Id}} {{.State.StartedAt}}{{end}}'"
    # One that goes by itself may be gone before it is inspected; that Docker does not answer is a failure.
    looked = f"sudo docker inspect --format {shown} $ids 2>/dev/null | sed '/^$/d' | sort"
    command = f"ids=$(sudo docker ps -q --no-trunc) || exit 1; {looked}"
    return "\n".join(lab.ssh(host["name"], command) for host in lab["hosts"])


def one_variable_is_one_change(lab: Lab, group_data: Path, secrets: list[str]) -> Evidence:
    """Change LOG_LEVEL in group data: the plan is one operation, its diff one line out and one line in."""
    group_data.mkdir(parents=True, exist_ok=True)
    text = Path("group_data/all.py").read_text()
    assert '"LOG_LEVEL": "info"' in text
    (group_data / "all.py").write_text(text.replace('"LOG_LEVEL": "info"', '"LOG_LEVEL": "debug"'))
    arguments = ("--group-data", str(group_data))
    dry = json.loads(lab.pyinfra("--dry", "--json", *arguments).stdout)
    planned = sorted(announced(dry), key=str)
    shown = lab.pyinfra("--dry", "--diff", *arguments)
    output = shown.stdout + shown.stderr
    lines = [line.split("]", 1)[-1].strip() for line in output.splitlines() if line.startswith("    [")]
    removed = [line for line in lines if line.startswith("-") and not line.startswith("---")]
    added = [line for line in lines if line.startswith("+") and not line.startswith("+++")]
    evidence = {
        "planned": [step.operation for step in planned],
        "removed": removed,
        "added": added,
        "secrets_in_output": [name for name in secrets if name in output],
    }
    assert len(planned) == 1, evidence
    assert len(removed) == len(added) == 1, evidence
    assert "debug" in added[0], evidence
    assert not evidence["secrets_in_output"], evidence
    return evidence
