"""The environment of this run: settings of the current host, secrets and images, each made once."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from pyinfra import host, inventory
from pyinfra.api import Host, Inventory

from deploys.host_data import host_data
from operations import output
from operations.delegate import connectable
from signupflow import secretfile, settings
from signupflow.commit import described
from signupflow.errors import OperatorError
from signupflow.fleet import Fleet, Member
from signupflow.images import Image, resolve
from signupflow.probe import Entry
from signupflow.secretfile import Secrets
from signupflow.settings import Environment
from signupflow.shared.channels import Channels, Mail
from signupflow.ssh_route import route

# What hosts run already, in the place of what a setting names: a rollback's or a restart's `app_image`.
_chosen: dict[str, Image] = {}
# How many replicas a host goes on with, in the place of `app_replicas`.
_replicas: dict[str, int] = {}


def choose(image_on_hosts: Image, setting: str = "app_image") -> None:
    """From now on, this image is the release's (or the one of another setting), whatever group_data says."""
    _chosen[setting] = image_on_hosts


def chosen_settings() -> frozenset[str]:
    """Settings whose image was chosen among what hosts have."""
    return frozenset(_chosen)


def keep_replicas(counts: Mapping[str, int]) -> None:
    """From now on, these hosts run so many replicas, whatever `app_replicas` says."""
    _replicas.update(counts)


def environment(target: Host | None = None) -> Environment:
    """Settings of a host; by default of the one that is being prepared."""
    name = host.name if target is None else target.name
    env = _with_replicas(_settings(name), name)
    return env.model_copy(update={setting: found.on_host for setting, found in _chosen.items()}) if _chosen else env


def _with_replicas(env: Environment, name: str) -> Environment:
    return env.model_copy(update={"app_replicas": _replicas[name]}) if name in _replicas else env


@functools.cache
def _settings(name: str) -> Environment:
    return settings.from_data(host_data(inventory.get_host(name), inventory), name)


def fleet() -> Fleet:
    """All hosts of this environment with their roles, those that this run leaves alone as well."""
    return fleet_of(inventory)


def fleet_of(hosts: Inventory) -> Fleet:
    """The same from an inventory that pyinfra has not begun to work on."""
    members = [_member(item, hosts) for item in hosts]
    return Fleet.of(members, [item.name for item in hosts.get_group("app")] if "app" in hosts.groups else [])


def _member(item: Host, hosts: Inventory) -> Member:
    roles = frozenset(item.groups) & {"edge", "app", "db"}
    if not roles:
        return Member(item.name, roles)
    env = _with_replicas(settings.from_data(host_data(item, hosts), item.name), item.name)
    return Member(item.name, roles, env.private_address, env.connections if "app" in roles else 0)


def names(item: Host) -> set[str]:
    """By which a host is asked for: in the inventory, by SSH, and by the other hosts."""
    return {str(name) for name in (item.name, item.data.get("ssh_hostname"), item.data.get("private_address")) if name}


def secrets() -> Secrets:
    """The environment's secrets, decrypted in memory."""
    return secrets_of(environment())


def _secrets_path(env: Environment) -> Path:
    return Path(env.secrets_file or f"secrets/{env.environment}.age")


def secrets_of(env: Environment) -> Secrets:
    path = _secrets_path(env)
    values = _decrypted(path, env.environment, env.age_key_file)
    values.require(env.secret_names, str(path))
    return values


def channels() -> Channels:
    """Where this environment's notifications go; its secrets are read only when there is somebody to tell."""
    env = environment()
    try:
        values = _decrypted(_secrets_path(env), env.environment, env.age_key_file)
    except (OperatorError, OSError):
        # What needs secrets has said so already; what needs none works for somebody who has no key.
        values = Secrets({})
    mail = Mail(
        env.notify_mail_to,
        env.notify_mail_from,
        env.smtp_host,
        env.smtp_port,
        env.smtp_starttls,
        values.get("smtp_user", ""),
        values.get("smtp_password", ""),
    )
    return Channels(values.get("notify_webhook_url", ""), mail)


@functools.cache
def _decrypted(path: Path, environment_name: str, key_file: str) -> Secrets:
    return Secrets(secretfile.SecretsFile(environment_name, path, key_file).read())


def image(reference: str) -> Image:
    """The image a setting names, as hosts will name it."""
    return next((found for found in _chosen.values() if found.on_host == reference), None) or _resolved(reference)


@functools.cache
def _resolved(reference: str) -> Image:
    return resolve(reference)


@functools.cache
def commit() -> str:
    """The commit of these deploys, with `-dirty` when files differ from it; empty outside a repository."""
    return described(Path(__file__).parents[1])


def refuse(why: str) -> NoReturn:
    """End the run before anything is changed, with one clear last line, though every host's greenlet may come here."""
    output.error(why)
    sys.exit(2)


def holding(role: str) -> Host:
    """The one host that has a role, connected; the run ends in one line when it is unreachable."""
    target = inventory.get_host(fleet().host_with_role(role).name)
    if not connectable(target):
        refuse(f"{target.name}, the host of the role {role}, cannot be reached; nothing was changed")
    return target


def in_group(name: str) -> bool:
    """Whether the current host has this role."""
    return name in host.groups


def order(env: Environment, hosts: Fleet) -> list[str]:
    """App hosts in the order of their rollouts: the inventory's, with the canary first when one is set."""
    if env.app_canary and env.app_canary not in hosts.apps:
        raise OperatorError(f"app_canary is {env.app_canary}, which is not in group app ({', '.join(hosts.apps)})")
    return sorted(hosts.apps, key=lambda name: (name != env.app_canary, hosts.apps.index(name)))


def entries(env: Environment) -> tuple[Entry, ...]:
    """The public entry, by each of its domains."""
    edge = inventory.get_host(fleet().host_with_role("edge").name)
    # The name may be an alias of ~/.ssh/config alone, which nobody else knows.
    address = env.public_address or route(edge.data.get("ssh_hostname") or edge.name).hostname
    return tuple(Entry(address, domain, env.public_ca_file) for domain in env.domains)
