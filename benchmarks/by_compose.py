"""The four ways that Docker Compose, Traefik's Docker provider and a script go."""

from __future__ import annotations

from benchmarks.host import DOWN, Bench
from benchmarks.measure import measure
from benchmarks.measured import Measured
from benchmarks.old import Old

PROVIDER = "docker"
HOOK = "touch /tmp/drain && sleep 10"

WAYS = {
    "docker compose up -d": ("docker compose up --detach", ""),
    "scale up, wait healthy, stop the old": ("./scale_then_stop.sh app", ""),
    "docker-rollout 0.13": ("./rollout.sh app", "restated"),
    "docker-rollout 0.13, drain hook": (f"./rollout.sh app '{HOOK}'", "restated"),
}


def roll(bench: Bench, way: str) -> Measured:
    """A fresh stack of two replicas, rolled once."""
    command, note = WAYS[way]
    bench.root("docker compose up --detach --wait")
    try:
        bench.wait_for_servers(PROVIDER)
        before = bench.containers()
        with Old(bench.lab, {bench.host: before}) as old:
            row = measure(
                way, bench.target, lambda: bench.root(f"GENERATION=2; export GENERATION; {command}"), old.gone, note=note
            )
        after = bench.containers()
        assert len(before) == len(after) == 2, (before, after)
        assert not set(before) & set(after), (before, after)
        return row
    finally:
        bench.root(DOWN)
