"""Docker: the engine that a host has, or one of its archives."""

from pyinfra.api import deploy

from deploys.environment import environment
from operations import engine
from signupflow.hosts.docker import daemon_keys


@deploy("Docker")
def docker_engine() -> None:
    env = environment()
    engine.docker(
        name="Install Docker Engine and Compose", wanted=daemon_keys(env.registry_mirrors), allow_interrupts=env.may_interrupt
    )
