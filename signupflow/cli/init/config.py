"""What `signupflow init` is told of an environment, and what follows from it: groups, roles, settings, paths."""

from __future__ import annotations

import ipaddress
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signupflow.errors import OperatorError
from signupflow.fleet import Fleet, Member
from signupflow.settings import Environment, faults, of_levels
from signupflow.settings.forms import SLUG
from signupflow.ssh_route import SSH_PORT

ROLES = ("edge", "app", "db")
HOST = re.compile(r"^(?P<name>[^=:\s]+)(=(?P<address>[^=:\s]+))?(:(?P<roles>[a-z,]+))?$")
HOST_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", re.IGNORECASE)
# What pyinfra or these deploys take for something else.
RESERVED_GROUPS = ("all", "spare", *ROLES)
# An address in these is one that other hosts reach as well (RFC 1918).
PRIVATE = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))

# The flag by which each setting is given, for messages.
FLAGS = {
    "environment": "ENVIRONMENT",
    "profile": "--profile",
    "deploy_public_keys": "--public-key",
    "private_address": "--private-address",
    "domains": "--domain",
    "acme_email": "--acme-email",
    "acme_directory": "--acme-directory",
    "acme_ca_file": "--acme-ca-file",
    "traefik_image": "--traefik-image",
    "registry_mirrors": "--registry-mirror",
    "public_tcp_ports": "--ssh-port",
    "age_key_file": "--age-key-file",
    "backup_recipients": "--backup-recipient",
}


@dataclass(frozen=True)
class Host:
    """A host that one owns: its name, where SSH reaches it, what it does, and where the other hosts reach it."""

    name: str
    address: str
    roles: tuple[str, ...] = ()
    private_address: str = ""


@dataclass(frozen=True)
class Storage:
    """An S3 bucket for what the environment keeps outside its hosts; the keys are secrets and not here."""

    endpoint: str
    bucket: str
    region: str = "us-east-1"
    ca_file: str = ""

    @property
    def data(self) -> dict[str, str]:
        found = {"s3_endpoint": self.endpoint, "s3_bucket": self.bucket, "s3_region": self.region}
        return found | ({"s3_ca_file": self.ca_file} if self.ca_file else {})


@dataclass(frozen=True)
class Answers:
    """Everything that the written files follow from. `root` is the repository, `directory` where they are written."""

    environment: str
    hosts: tuple[Host, ...]
    domains: tuple[str, ...]
    acme_email: str
    public_keys: tuple[str, ...]
    traefik_image: str
    directory: Path
    root: Path
    profile: str = "production"
    ssh_user: str = "root"
    ssh_port: int = SSH_PORT
    ssh_key: str = ""
    acme_directory: str = ""
    acme_ca_file: str = ""
    registry_mirrors: tuple[str, ...] = ()
    age_key_file: str = ""
    storage: Storage | None = None
    backup_recipients: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The inventory's group of the environment, which must be a name in Python."""
        return self.environment.replace("-", "_")

    @property
    def inventory(self) -> Path:
        return self.directory / ("inventory.py" if self.group == "production" else f"inventory_{self.group}.py")

    @property
    def data_file(self) -> Path:
        return self.directory / "group_data" / f"{self.group}.py"

    @property
    def secrets_file(self) -> Path:
        return self.directory / "secrets" / f"{self.environment}.age"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    def named(self, path: Path) -> str:
        """A path as commands that run in the repository's root name it."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def holding(self, role: str) -> list[Host]:
        return [host for host in self.hosts if role in host.roles]

    def host_data(self, host: Host) -> dict[str, Any]:
        """What the inventory says of one host."""
        data: dict[str, Any] = {"ssh_hostname": host.address}
        if self.ssh_port != SSH_PORT:
            data["ssh_port"] = self.ssh_port
        if host.private_address:
            data["private_address"] = host.private_address
        return data

    def group_data(self) -> dict[str, Any]:
        """What is true of the whole environment, in the order in which it is written."""
        inside = self.directory == self.root
        data: dict[str, Any] = {
            "environment": self.environment,
            "profile": self.profile,
            "deploy_public_keys": list(self.public_keys),
            "domains": list(self.domains),
            "acme_email": self.acme_email,
            "traefik_image": self.traefik_image,
            "acme_directory": self.acme_directory,
            "acme_ca_file": self.acme_ca_file,
            "registry_mirrors": list(self.registry_mirrors),
            # A run lets nobody in by a port that it does not know of.
            "public_tcp_ports": [SSH_PORT, 80, 443, self.ssh_port] if self.ssh_port != SSH_PORT else [],
            "secrets_file": "" if inside else self.named(self.secrets_file),
            "age_key_file": self.age_key_file,
            **(self.storage.data if self.storage else {}),
            "backup_recipients": list(self.backup_recipients),
            **self.settings,
            "ssh_user": self.settings.get("deploy_user", Environment.model_fields["deploy_user"].default),
            "ssh_key": self.ssh_key,
            "ssh_strict_host_key_checking": "yes",
            "ssh_known_hosts_file": self.named(self.known_hosts),
        }
        return {name: value for name, value in data.items() if value not in ("", [])}


def parse_host(text: str) -> Host:
    """`NAME=ADDRESS:ROLE,ROLE`; without an address SSH goes by the name, without roles they follow from the number."""
    match = HOST.match(text)
    if not match or not HOST_NAME.match(match["name"]) or not HOST_NAME.match(match["address"] or match["name"]):
        raise OperatorError(
            f"--host {text!r} is not NAME, NAME=ADDRESS or NAME=ADDRESS:ROLE,ROLE, such as web1.example.org=203.0.113.10:edge,app"
        )
    roles = tuple(part for part in (match["roles"] or "").split(",") if part)
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise OperatorError(f"--host {text!r} has the role {unknown[0]}; there are {', '.join(ROLES)}")
    return Host(match["name"], match["address"] or match["name"], tuple(role for role in ROLES if role in roles))


def default_roles(count: int) -> list[tuple[str, ...]]:
    """One host does all. With more, releases have two app hosts as soon as they can, then each role has hosts of its own."""
    few: dict[int, list[tuple[str, ...]]] = {
        1: [ROLES],
        2: [("edge", "app"), ("app", "db")],
        3: [("edge", "app"), ("app",), ("db",)],
    }
    return few.get(count) or [("edge",), *[("app",)] * (count - 2), ("db",)]


def with_roles(hosts: Sequence[Host]) -> list[Host]:
    """Every host with its roles: all as they were given, or all by default."""
    silent = [host.name for host in hosts if not host.roles]
    if not silent:
        return list(hosts)
    if len(silent) < len(hosts):
        raise OperatorError(f"--host {silent[0]} has no roles while others do; write {silent[0]}=ADDRESS:app or give none to any")
    return [Host(host.name, host.address, roles) for host, roles in zip(hosts, default_roles(len(hosts)), strict=True)]


def with_private_addresses(hosts: Sequence[Host], given: Mapping[str, str]) -> list[Host]:
    """Where the others reach each host: as given, or its address when that is a private one; one host alone needs none."""
    unknown = sorted(set(given) - {host.name for host in hosts})
    if unknown:
        raise OperatorError(f"--private-address names {unknown[0]}, which is the name of no --host")
    if len(hosts) == 1 and not given:
        return list(hosts)
    return [Host(host.name, host.address, host.roles, given.get(host.name) or _own(host.address)) for host in hosts]


def _own(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return address if any(parsed in network for network in PRIVATE) else ""


def pairs(flag: str, items: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` options."""
    found = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            raise OperatorError(f"{flag} {item!r} is not NAME=VALUE")
        found[name] = value
    return found


def check(answers: Answers, app: Mapping[str, Any]) -> dict[str, Environment]:
    """Each host's settings, made as a run will make them with `app` (group_data/all.py); every fault is named by its flag."""
    _check_group(answers)
    _check_set(answers)
    names = [host.name for host in answers.hosts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OperatorError(f"--host {twice[0]} is named twice")
    found, wrong = {}, []
    for host in answers.hosts:
        data = of_levels([app, answers.group_data(), answers.host_data(host)])
        wrong += [_by_flag(name, why, answers.settings) for name, why in faults(data)]
        if not wrong:
            found[host.name] = Environment.of(data)
    if wrong:
        distinct = list(dict.fromkeys(wrong))
        raise OperatorError(f"{len(distinct)} {'fault' if len(distinct) == 1 else 'faults'}: " + "; ".join(distinct))
    try:
        fleet = Fleet.of(_members(answers, found), [host.name for host in answers.holding("app")])
    except OperatorError as error:
        raise OperatorError(f"--host and --private-address: {error}") from None
    fleet.check_connections(found[fleet.host_with_role("db").name].postgres_max_connections)
    return found


def judge(setting: str, value: Any) -> None:
    """Raise OperatorError with what is wrong with one answer by itself, said of the flag that would have given it."""
    wrong = [_by_flag(name, why, {}) for name, why in faults({setting: value}) if name.partition(".")[0] == setting]
    if wrong:
        raise OperatorError(wrong[0])


def judge_hosts(texts: Sequence[str], whole: bool = False) -> None:
    """The same of hosts as far as they are named; `whole` when there are to be no more."""
    hosts = with_roles([parse_host(text) for text in texts])
    names = [host.name for host in hosts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OperatorError(f"--host {twice[0]} is named twice")
    given = any(parse_host(text).roles for text in texts)
    held = [role for host in hosts for role in host.roles]
    for role in ROLES if given else ():
        if role != "app" and held.count(role) > 1:
            raise OperatorError(f"--host {names[-1]} would be a second {role} host; exactly one can be")
        if whole and role not in held:
            raise OperatorError(f"no host has the role {role}; name one with it, such as NAME=ADDRESS:{role}")


def _members(answers: Answers, environments: Mapping[str, Environment]) -> Iterator[Member]:
    for host in answers.hosts:
        env = environments[host.name]
        yield Member(host.name, frozenset(host.roles), env.private_address, env.connections if "app" in host.roles else 0)


def _by_flag(name: str, why: str, settings: Mapping[str, Any]) -> str:
    """A fault of a setting, said of the flag that gave it."""
    setting = name.partition(".")[0]
    if setting in settings:
        return f"--set {why}"
    return FLAGS[setting] + why.removeprefix(name) if setting in FLAGS else f"group_data/all.py: {why}"


def _check_set(answers: Answers) -> None:
    for name, value in answers.settings.items():
        if name in FLAGS and name != "public_tcp_ports":
            raise OperatorError(f"--set {name}: this has a flag of its own, {FLAGS[name]}")
        if name == "public_tcp_ports" and isinstance(value, list | tuple) and answers.ssh_port not in value:
            raise OperatorError(f"--set public_tcp_ports lacks --ssh-port {answers.ssh_port}: a deploy would close it")


def _check_group(answers: Answers) -> None:
    check_environment(answers.environment)


def check_environment(name: str) -> None:
    if not SLUG.fullmatch(name):
        raise OperatorError(f"ENVIRONMENT {name!r} must start with a letter and hold lower-case letters, digits and dashes only")
    group = name.replace("-", "_")
    if group in RESERVED_GROUPS or keyword.iskeyword(group):
        raise OperatorError(f"ENVIRONMENT {name} means something else already; choose another, such as production")
