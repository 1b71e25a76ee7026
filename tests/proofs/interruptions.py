"""The controller is killed again and again on the way from a bare host; what it left behind is finished by the next run."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import Any

from lab.client import PYINFRA, ROOT, Lab
from lab.compare import done
from tests.proofs.convergence import second_run_changes_nothing

Evidence = dict[str, Any]


def killed_runs_converge(lab: Lab, seconds: tuple[float, ...]) -> Evidence:
    """SIGKILL pyinfra this long after each start, on a host that was bare before the first; then run to the end."""
    kills: list[dict[str, Any]] = []
    for delay in seconds:
        command = [PYINFRA, lab["inventory"], "deploys/production.py", "-y", "-v"]
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            said, _ = run.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            said, _ = run.communicate()
        steps = [line.split(": ", 1)[1].strip() for line in said.splitlines() if "Starting operation: " in line]
        kills.append(
            {"seconds": delay, "killed": run.returncode == -signal.SIGKILL, "during": steps[-1] if steps else "before any"}
        )
    started = time.monotonic()
    last = json.loads(lab.pyinfra("-y", "--json").stdout)
    converged = time.monotonic() - started
    health = lab.wait_for_health(lab["domains"][0], seconds=60)
    again = second_run_changes_nothing(lab)
    evidence: Evidence = {
        "kills": kills,
        "converging_run_seconds": round(converged, 1),
        "converging_run_changes": len(done(last, "success")),
        "status": health["status"],
        "run_after_that": again,
    }
    assert sum(kill["killed"] for kill in kills) >= len(seconds) - 2, evidence
    assert not done(last, "error"), evidence
    return evidence
