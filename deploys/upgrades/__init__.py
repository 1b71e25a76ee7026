"""Upgrades of what the app stands on, with the public entry asked steadily meanwhile."""

from __future__ import annotations

from pyinfra import host, state
from pyinfra.api import deploy

from deploys.app import served_entries
from deploys.deployment import deployment
from deploys.docker import docker_engine
from deploys.environment import entries, environment
from deploys.postgres import postgres
from deploys.release import activated
from deploys.traefik import traefik
from operations import engine, preflight

# Enough to see a gap of a tenth of a second.
PROBE_RATE = 20


@deploy("Upgrade")
def upgrade(what: str) -> None:
    """`what` is traefik, postgres or docker. Docker goes host after host, none after one that fails."""
    env = environment()
    preflight.probed(
        name="Start the live traffic check",
        context=deployment(),
        entry=(served_entries(env) or entries(env))[0],
        path=env.health_path,
        rate=PROBE_RATE,
    )
    if what == "traefik":
        traefik()
    elif what == "postgres":
        postgres()
    else:
        for name in host.loop([item.name for item in activated()]):
            if name == host.name:
                engine.upgraded(name=f"Upgrade Docker on {name}", again=env.upgrade_again, _if=lambda: not state.failed_hosts)
        docker_engine()
