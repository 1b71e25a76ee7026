"""Which Docker a host is to have: the one that is there when it is new enough, or one of its archives'."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from signupflow.hosts.system import COMPOSE, DAEMON_JSON, DOCKERS, ENGINES, System

# The Compose files' health checks have a start_interval (Engine 25), and `docker compose` is a plugin (v2).
OLDEST_ENGINE, OLDEST_COMPOSE = 25, 2
DOCKER_COM = "https://docs.docker.com/engine/install"

# What an archive has whose lists are not there yet, as on an image without them: refreshed and looked at again before installing.
USUAL = {"debian": (13.0, "docker.io", "docker-compose"), "ubuntu": (22.04, "docker.io", "docker-compose-v2")}

# A daemon.json with one of these would leave this product's networks or volumes without effect.
UNUSABLE: dict[str, tuple[object, ...]] = {"iptables": (False,), "bridge": ("none",)}


@dataclass(frozen=True)
class Choice:
    """`packages` are to be installed; `problem` is why this host cannot have a Docker that serves; `engine` is which it has."""

    packages: tuple[str, ...] = ()
    problem: str = ""
    engine: str = ""


def major(version: str) -> int:
    """The first number of a version such as 5:27.3.1-1~debian.12~bookworm or 26.1.5+dfsg1-9; 0 for what is none."""
    found = re.match(r"(?:\d+:)?v?(\d+)", version)
    return int(found[1]) if found else 0


def choose(system: System) -> Choice:
    """By what is there. An engine that somebody installed is left to its own packages."""
    if system.snap:
        return Choice(
            problem="Docker is a snap there, whose engine sees no files under /opt and /var: `snap remove docker` first"
        )
    if "podman-docker" in system.installed:
        return Choice(problem="podman-docker stands in Docker's place there: `apt-get remove podman-docker` first")
    owner = next((name for name in ENGINES if name in system.installed), "")
    if owner or (system.dockerd and not system.half & set(ENGINES)):
        return _present(system, owner)
    if broken := sorted(system.half & {"docker-ce", "moby-engine"}):
        return Choice(problem=f"{broken[0]} is installed by half there: `dpkg --configure -a` first")
    return _absent(system)


def _present(system: System, owner: str) -> Choice:
    version = system.engine or system.installed.get(owner, "")
    engine = f"{owner or system.dockerd} {version}".strip()
    if major(version) < OLDEST_ENGINE:
        newer = major(system.candidates.get(owner, "")) >= OLDEST_ENGINE
        remedy = (
            f"`apt-get install {owner}` (its archive has {system.candidates[owner]})" if newer else f"docker-ce of {DOCKER_COM}"
        )
        return Choice(problem=f"Docker Engine {engine} is too old, {OLDEST_ENGINE} or later is needed: {remedy}", engine=engine)
    packages = ["docker-cli"] if owner == "docker.io" and _has("docker-cli", system) else []
    if major(system.compose) >= OLDEST_COMPOSE:
        return Choice(tuple(_missing(packages, system)), engine=engine)
    if owner != "docker.io":
        missing = "docker-compose-plugin" if owner != "moby-engine" else "moby-compose"
        return Choice(problem=f"{engine} has no Compose v2 (`docker compose`): `apt-get install {missing}`", engine=engine)
    compose = _compose(system)
    if not compose:
        return Choice(
            problem=f"{engine} has no Compose v2 and its archive none: docker-compose-plugin of {DOCKER_COM}", engine=engine
        )
    return Choice(tuple(_missing([*packages, compose], system)), engine=engine)


def _absent(system: System) -> Choice:
    if not system.lists:
        oldest, engine, compose = USUAL.get(system.os[0], (float("inf"), "", ""))
        if _number(system.os[1]) < oldest:
            return Choice(
                problem=f"no Docker is there, and {system.name}'s package lists are empty: `apt-get update` there first"
            )
        return Choice((engine, compose))
    if major(system.candidates.get("docker.io", "")) >= OLDEST_ENGINE and (compose := _compose(system)):
        names = ["docker.io", *(["docker-cli"] if _has("docker-cli", system) else []), compose]
        return Choice(tuple(names))
    if major(system.candidates.get("docker-ce", "")) >= OLDEST_ENGINE:
        return Choice(("docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin"))
    has = system.candidates.get("docker.io", "no docker.io")
    return Choice(
        problem=f"no Docker is there, and {system.name}'s archive has {has}; Engine {OLDEST_ENGINE} or later with Compose v2 is "
        f"needed: docker-ce and docker-compose-plugin of {DOCKER_COM}"
    )


def _compose(system: System) -> str:
    """The package of Compose v2 in the host's archives; Debian's docker-compose was v1 once."""
    return next((name for name in COMPOSE if major(system.candidates.get(name, "")) >= OLDEST_COMPOSE), "")


def _has(name: str, system: System) -> bool:
    return name in system.candidates or name in system.installed


def _missing(names: list[str], system: System) -> list[str]:
    return [name for name in names if name not in system.installed]


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0


def upgradable(system: System) -> tuple[str, ...]:
    """Docker's packages that are installed, whosever they are."""
    return tuple(name for name in DOCKERS if name in system.installed)


def daemon_keys(registry_mirrors: tuple[str, ...]) -> dict[str, object]:
    """Containers survive an engine restart; logs go to the journal, where retention and search are."""
    keys: dict[str, object] = {"live-restore": True, "log-driver": "journald", "no-new-privileges": True}
    if registry_mirrors:
        keys["registry-mirrors"] = list(registry_mirrors)
    return keys


@dataclass(frozen=True)
class Daemon:
    """`text` is the whole of daemon.json with this product's keys in it; `own` are those; `problem` is why they cannot be."""

    text: str = ""
    own: str = ""
    problem: str = ""


def merged(current: str | None, own_before: str, wanted: Mapping[str, object]) -> Daemon:
    """The file that is there, with `wanted` in it. A key with another value that is somebody's is refused, and shown."""
    own = json.dumps(dict(wanted), sort_keys=True) + "\n"
    if not (current or "").strip():
        return Daemon(json.dumps(dict(wanted), indent=2) + "\n", own)
    found, before = _object(current or ""), _object(own_before) or {}
    if found is None:
        return Daemon(problem=f"{DAEMON_JSON} is no JSON object: Docker cannot start with it, and nothing is merged into it")
    problems = list(_conflicts(found, before, wanted))
    if problems:
        return Daemon(problem=f"{DAEMON_JSON}: {', '.join(problems)}: change that there, or use another host")
    kept = {key: value for key, value in found.items() if key in wanted or key not in before or before[key] != value}
    made = {**kept, **wanted}
    # As it stands, when only its layout differs: somebody's file is rewritten for a reason alone.
    return Daemon(current or "" if made == found else json.dumps(made, indent=2) + "\n", own)


def _conflicts(found: Mapping[str, object], before: Mapping[str, object], wanted: Mapping[str, object]) -> Iterator[str]:
    for key, value in wanted.items():
        if key in found and found[key] != value and found[key] != before.get(key):
            yield f"{key} is {json.dumps(found[key])}, and {json.dumps(value)} is needed"
    for key, values in UNUSABLE.items():
        if found.get(key) in values and key in found:
            yield f"{key} is {json.dumps(found[key])}, which leaves containers without a network"
    if found.get("userns-remap"):
        yield "userns-remap is set, and files of containers would belong to other users"


def flags(starts: str, wanted: Mapping[str, object]) -> str:
    """Why a unit that says the same by a flag cannot start with this file; empty when it can."""
    given = [key for key in wanted if re.search(rf"\s--{re.escape(key.removesuffix('s'))}s?(=|\s|$)", f"{starts} ")]
    if given:
        return f"docker.service starts dockerd with --{given[0]}, and {DAEMON_JSON} must say it alone: take it out of the unit"
    return ""


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def keys(text: str) -> tuple[str, ...]:
    """The keys that a daemon.json has."""
    return tuple(_object(text) or ())
