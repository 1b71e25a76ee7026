"""What one lab remembers between commands: .lab/NAME/state.json, written whole and renamed into place."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from lab import network, topology
from lab.errors import LabError
from lab.paths import LAB_DIR

NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
LABEL = "signupflow.lab"
SAVING = threading.Lock()


@dataclass(frozen=True)
class Host:
    name: str
    fqdn: str
    address: str
    roles: tuple[str, ...]


@dataclass
class State:
    """Addresses, ports and keys that stay the same for as long as the lab lives."""

    name: str
    subnet: str
    hosts: int = 1
    # Decided when the lab is made: hosts keep what their roles brought them.
    topology: str = topology.SINGLE
    ports: dict[str, int] = field(default_factory=dict)
    s3_access_key: str = ""
    s3_secret_key: str = ""
    # Seconds; None is Pebble's own default of five years.
    certificate_lifetime: int | None = None
    # What the first host is before anything is deployed to it (lab/flavours); empty is nothing but the operating system.
    flavour: str = ""
    # Ordinary name: {"id": local image id, "digest": manifest digest in the lab's registry}
    images: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        return f"{self.name}.test"

    @property
    def folder(self) -> Path:
        return folder(self.name)

    @property
    def sites(self) -> list[str]:
        return [f"{site}.{self.zone}" for site in network.SITES]

    def address(self, server: str) -> str:
        return network.address(self.subnet, network.SERVERS[server])

    def host_list(self) -> list[Host]:
        return [
            Host(
                name=f"h{number}",
                fqdn=f"h{number}.{self.zone}",
                address=network.address(self.subnet, network.FIRST_HOST + number - 1),
                roles=topology.roles(self.topology, number),
            )
            for number in range(1, self.hosts + 1)
        ]

    @property
    def edge(self) -> Host:
        """The host that the sites' names lead to."""
        return next(host for host in self.host_list() if "edge" in host.roles)

    def names(self) -> dict[str, str]:
        """Every name that the lab's DNS answers, with its address."""
        hosts = self.host_list()
        names = {host.fqdn: host.address for host in hosts}
        names |= {f"{server}.{self.zone}": self.address(server) for server in network.SERVERS}
        names |= dict.fromkeys(self.sites, self.edge.address)
        return names

    def container(self, what: str) -> str:
        return f"signupflow-{self.name}-{what}"

    @property
    def label(self) -> str:
        return f"{LABEL}={self.name}"

    def save(self) -> None:
        """Servers start in threads, and each saves what it has chosen."""
        with SAVING:
            write(self.folder / "state.json", json.dumps(dataclasses.asdict(self), indent=2) + "\n", mode=0o600)


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} cannot name a lab: a lower-case letter, then at most 15 lower-case letters and digits")
    return name


def folder(name: str) -> Path:
    return LAB_DIR / check_name(name)


def load(name: str) -> State | None:
    """The lab's state, or None when there is none (a broken file counts as none: `up` then starts anew).

    Fields that this version does not know are dropped, so that a lab outlives a change of this class.
    """
    file = folder(name) / "state.json"
    try:
        stored = json.loads(file.read_text())
        known = {item.name for item in dataclasses.fields(State)}
        return State(**{key: value for key, value in stored.items() if key in known})
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return None


def require(name: str) -> State:
    state = load(name)
    if state is None:
        raise LabError(f"there is no lab named {name}: python -m lab up --name {name}")
    return state


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step, so that a killed process never leaves half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as out:
        os.fchmod(out.fileno(), mode)
        out.write(text)
    beside.replace(path)
