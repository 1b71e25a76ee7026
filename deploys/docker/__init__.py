"""Docker from the distribution's archive."""

import json

from pyinfra.api import deploy

from deploys.environment import environment
from operations import engine


@deploy("Docker")
def docker_engine() -> None:
    env = environment()
    engine.docker(
        name="Install Docker Engine and Compose",
        daemon_json=daemon_json(env.registry_mirrors),
        allow_interrupts=env.may_interrupt,
    )


def daemon_json(registry_mirrors: tuple[str, ...]) -> str:
    """Containers survive an engine restart; logs go to the journal, where retention and search are."""
    configuration: dict[str, object] = {"live-restore": True, "log-driver": "journald", "no-new-privileges": True}
    if registry_mirrors:
        configuration["registry-mirrors"] = list(registry_mirrors)
    return json.dumps(configuration, indent=2) + "\n"
