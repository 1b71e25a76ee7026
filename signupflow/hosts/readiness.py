"""Whether a host can be deployed to, by what is there: each reason in a line, with what to do. Judged here, observed by facts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from signupflow.hosts import docker, packages
from signupflow.hosts.system import System

# `uname -m` to what Docker calls it.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
MAJOR_GUIDE = "docs/operations/POSTGRES_UPGRADE.md"


@dataclass(frozen=True)
class Wants:
    """What a deploy will ask of one host. `architecture` is the images', `postgres` the major version of PostgreSQL's image (0
    where it is not known), `daemon` the keys of Docker's configuration; `interrupts` says that Docker may be restarted.
    """

    edge: bool = False
    architecture: str = ""
    postgres: int = 0
    daemon: Mapping[str, object] = field(default_factory=dict)
    interrupts: Collection[str] = ()
    deploy_user: str = "deploy"
    ports: Collection[int] = (22, 80, 443)


def problems(system: System, wants: Wants) -> Iterator[str]:
    """Why a deploy would fail there, or would take from somebody what is theirs."""
    if not system.systemd:
        yield f"systemd: it does not run on {system.name or 'it'}, and timers and firewall need it: use a host that boots with it"
    if not system.nft and system.lists and "nftables" not in system.candidates:
        yield "nftables: it is not there, and no archive of the host's has it: add the archive that has the package nftables"
    yield from architecture_problems(system.machine, wants.architecture)
    yield from _docker(system, wants)
    if system.cluster and wants.postgres and int(system.cluster.split(".")[0]) != wants.postgres:
        yield (
            f"postgres: the data there is of {system.cluster}, postgres_image is {wants.postgres}, which cannot read it: "
            f"keep {system.cluster} here; {MAJOR_GUIDE} has the way to {wants.postgres}"
        )
    if wants.edge and not system.our_traefik and system.listeners:
        taken = ", ".join(f"{port} by {program}" for port, program in sorted(system.listeners.items()))
        yield f"ports: taken: {taken}: Traefik needs 80 and 443: stop and disable it"


def architecture_problems(machine: str, image: str) -> Iterator[str]:
    found = MACHINES.get(machine, "")
    if machine and not found:
        yield f"architecture: {machine}: use one of {', '.join(MACHINES)}"
    elif machine and image and image != found:
        yield f"architecture: it is {machine}, and the image here is for {image}: build one for {found} (on such a machine)"


def _docker(system: System, wants: Wants) -> Iterator[str]:
    choice, daemon = docker.choose(system), docker.merged(system.daemon_json, system.own_keys, wants.daemon)
    found = [choice.problem, daemon.problem, docker.flags(system.starts, wants.daemon) if choice.engine else ""]
    yield from (f"docker: {problem}" for problem in found if problem)
    changes = daemon.text and daemon.text != system.daemon_json
    if choice.engine and changes and system.others and not any(found) and "docker" not in wants.interrupts:
        yield (
            f"docker: its daemon.json would get {', '.join(sorted(wants.daemon))}, which restarts it under "
            f"{', '.join(sorted(system.others))}: allow that with --data allow_interrupts=docker"
        )


def warnings(system: System, wants: Wants) -> Iterator[str]:
    """What the first deploy takes from somebody by what it is there for: a firewall in which only what is named answers."""
    closed = {port: program for port, program in system.open.items() if port not in wants.ports and program != "sshd"}
    if closed:
        named = ", ".join(f"{port} ({program})" for port, program in sorted(closed.items()))
        yield f"the firewall closes to the outside: {named}: add to public_tcp_ports what is to stay open"


def wanted_packages(system: System) -> tuple[str, ...]:
    """What a deploy would install."""
    lacking = [name for name in packages.base(system) if name not in system.installed]
    return tuple(sorted({*lacking, *docker.choose(system).packages}))


def notes(system: System, wants: Wants) -> Iterator[str]:
    """What is there already and stays, and what a run will wait for: no reason against a deploy."""
    choice = docker.choose(system)
    if choice.engine and "docker.io" not in system.installed:
        yield f"Docker Engine {choice.engine} stays, and is left to its own packages"
    if (clock := packages.clock(system)) != packages.DEFAULT_CLOCK:
        yield f"{clock} keeps the clock, and stays"
    if system.daemon_json and (own := sorted(set(docker.keys(system.daemon_json)) - set(wants.daemon))):
        yield f"/etc/docker/daemon.json keeps {', '.join(own)}"
    if system.ufw:
        yield "ufw is active, and stays: what both it and this product's firewall let in is let in"
    if out := sorted(system.keyed - {"root", wants.deploy_user}):
        yield f"after a deploy SSH lets {wants.deploy_user} in, and no longer {', '.join(out)}"
    yield from warnings(system, wants)
    for holder in system.held[:1]:
        yield f"apt is busy, a deploy waits for it: {holder}"
