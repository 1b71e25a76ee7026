"""Our own release, measured like the others: the same load, two replicas on one host, on that same host."""

from __future__ import annotations

import dataclasses
import runpy
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measure import measure
from benchmarks.measured import Measured
from benchmarks.old import Old
from benchmarks.quiet import wait_until_quiet
from benchmarks.traffic import Target
from lab.client import ROOT, Lab
from tests import releases
from tests.proofs.releasing import at_step, baseline, container_ids, fqdn, started

# The others wait for Docker's health and look no further: no shares of traffic, no bake, no observation, no probe.
LIKE_THEM: dict[str, Any] = {
    "app_replicas": 2,
    "app_soak_seconds": 0,
    "app_shift_weights": [],
    "app_bake_seconds": 0,
    "app_monitor_seconds": 0,
    "app_probe_rate": 0,
}
WAYS = {
    "SignUpFlow, asking no more than they do": {**LIKE_THEM, "app_check_command": []},
    "SignUpFlow, version, schema and tenants asked too": LIKE_THEM,
}


def ours(lab: Lab, tell: Callable[[Measured], object] = lambda row: None) -> list[Measured]:
    """A row for each; the lab's app host has SignUpFlow deployed."""
    rows = []
    for number, (way, settings) in enumerate(WAYS.items()):
        wait_until_quiet(0.3)
        rows.append(_roll(lab, way, settings, 20 + 2 * number))
        tell(rows[-1])
    return rows


def _roll(lab: Lab, way: str, settings: dict[str, Any], number: int) -> Measured:
    """One release; its seconds count from the rollout's first step, as the others' count from their command."""
    host = lab.the("app")
    # As the others' app: no limit for the one address that all of the load comes from, and no line of log a request.
    variables = runpy.run_path(str(ROOT / "group_data" / "all.py"))["app_environment"]
    settings = {**settings, "app_environment": {**variables, "RATE_LIMIT_PER_SECOND": "0", "LOG_LEVEL": "warning"}}
    baseline(lab, releases.image("good", number), **settings)
    moments: dict[str, float] = {}

    def start() -> None:
        moments["command"] = time.time()
        begins, said = at_step(fqdn(lab, host), "write"), ""
        with started(lab, releases.image("good", number + 1), **settings) as run:
            assert run.stdout
            for line in run.stdout:
                said += line
                if begins(line):
                    moments["rollout"] = time.time()
            assert run.wait() == 0, said[-3000:]

    target = Target(lab.address(), 443, lab["domains"][0], lab.tls())
    with Old(lab, {host: container_ids(lab, host)}) as old:
        row = measure(way, target, start, old.gone, least=40)
    before = moments["rollout"] - moments["command"]
    note = f"the whole command, which first looks at everything else, began {before:.0f} s earlier"
    return dataclasses.replace(row, seconds=round(row.seconds - before, 2), note=note)
