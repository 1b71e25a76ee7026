"""Checks of a run before any host is touched: flags, paths, inventory, settings, secrets, images."""

from __future__ import annotations

import os
import sys
import traceback
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
from pyinfra.api import Inventory
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import parse_cli_arg

from deploys import connecting, declared
from deploys.app.configuration import secret_values
from deploys.environment import fleet_of, image, order, secrets_of
from deploys.postgres.roles import roles_sql
from signupflow import rotation
from signupflow.errors import OperatorError
from signupflow.settings import Environment, agree, faults, from_data

# Why each is refused stands in docs/adr/0001-pyinfra-is-the-engine.md.
REFUSED = {
    "no_wait": "--no-wait turns a failed host into exit 0",
    "serial": "--serial runs hosts in random order; releases keep the inventory's order by themselves",
}


def check() -> None:
    """Exit with one clear line when this run could not end well."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    connecting.install(context.params)
    try:
        _check(context.params)
    except OperatorError as error:
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {error}", err=True)
        sys.exit(2)


def _check(params: dict[str, Any]) -> None:
    _flags(params)
    deploys = [Path(name) for name in params["operations"] if name.endswith(".py")]
    for deploy in deploys:
        if not deploy.is_file():
            raise OperatorError(f"no deploy file {deploy}; deploys/ holds {', '.join(_deploy_files())}")
    path = params["inventory"]
    if not Path(path).is_file():
        raise OperatorError(f"no inventory file {path}; name one that is there (`signupflow init` writes inventory.py)")
    inventory = _inventory(params)
    if not deploys:
        return
    environments = _environments(inventory, params)
    roles = {host.name: [role for role in declared.ROLES if role in host.groups] for host in inventory}
    chosen = _chosen(inventory, params)
    for deploy in deploys:
        wanted = declared.scope(deploy.name, environments[0].upgrade, environments[0].app_version)
        declared.check_limit(str(deploy), wanted, roles, chosen)
        if deploy.name == "remove_host.py":
            _one_app_host(inventory, chosen)
        for env in environments:
            if wanted.secrets:
                _render_secrets(env)
            needed = declared.images(wanted, roles, chosen, env.backed_up)
            for setting in needed:
                image(getattr(env, setting))
            if declared.APP[1] in needed:
                _revision_known(env)


def _revision_known(env: Environment) -> None:
    """Whether the schema fits can be judged only by what the image says of itself."""
    new = image(env.app_image)
    if env.app_migration_command and not new.known:
        raise OperatorError(f"what {env.app_image} does to the schema is not known here: `docker pull` it on this machine first")


def _render_secrets(env: Environment) -> None:
    """What is made of secrets is made once here, so that a value that cannot be used is found before any host is touched."""
    secrets = secrets_of(env)
    try:
        roles_sql(env.postgres_database, secrets)
        for role in ("migrator", rotation.app_roles(secrets)[0]):
            secret_values(env, secrets, role)
    except ValueError as error:
        raise OperatorError(str(error)) from None


def _flags(params: dict[str, Any]) -> None:
    for flag, why in REFUSED.items():
        if params.get(flag):
            raise OperatorError(f"{why}; leave it out")
    if params.get("fail_percent") is not None:
        raise OperatorError("--fail-percent aborts a run before earlier hosts can be taken back; leave it out")
    if params.get("dry") and params.get("yes"):
        raise OperatorError("--dry with -y prints no plan; use --dry alone")


def _deploy_files() -> list[str]:
    return sorted(declared.DEPLOYS)


def _inventory(params: dict[str, Any]) -> Inventory:
    """The same inventory that pyinfra is about to load, with the same overrides."""
    unnamed = [item for item in params["data"] if "=" not in item]
    if unnamed:
        raise OperatorError(f"--data {unnamed[0]} has no value; write --data NAME=VALUE")
    overrides = dict(item.split("=", 1) for item in params["data"])
    overrides |= {name: str(params[name]) for name in ("ssh_user", "ssh_port") if params.get(name)}
    try:
        return make_inventory(
            params["inventory"],
            cwd=os.getcwd(),
            override_data={key: parse_cli_arg(value) for key, value in overrides.items()},
            group_data_directories=params["group_data"],
        )
    except SyntaxError as error:
        raise OperatorError(f"{_shown(error.filename)}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from None
    except UnexpectedExternalError as error:
        raise OperatorError(_fault(error)) from None
    except (UnicodeDecodeError, ValueError, TypeError) as error:
        raise OperatorError(f"inventory {params['inventory']} cannot be read: {error}") from None


def _fault(error: UnexpectedExternalError) -> str:
    """An exception that an inventory or a file of group_data raised, at its own line."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.exception.__traceback__) if frame.filename == error.filename]
    where = f"{_shown(error.filename)}, line {lines[-1]}" if lines else _shown(error.filename)
    return f"{where}: {type(error.exception).__name__}: {error.exception}"


def _shown(path: str | None) -> str:
    return os.path.relpath(path) if path and Path(path).is_relative_to(os.getcwd()) else str(path)


def _environments(inventory: Inventory, params: dict[str, Any]) -> list[Environment]:
    hosts = list(inventory)
    where = params["inventory"]
    if not hosts:
        raise OperatorError(f"inventory {where} names no hosts; add them to its groups edge, app and db")
    _each_in_an_environment(inventory, where)
    try:
        fleet = fleet_of(inventory)
    except OperatorError as error:
        raise OperatorError(f"inventory {where}: {error}") from None
    for pattern in params["limit"]:
        if not any(_matches(host, (pattern,)) for host in hosts):
            raise OperatorError(f"--limit {pattern} matches no host of {where}")
    if not _chosen(inventory, params):
        raise OperatorError(f"--limit and --exclude leave no host of {where}")
    _each_once(hosts)
    environments = []
    for host in hosts:
        env = from_data(host.data.dict(), host.name)
        _may_log_in_again(host, env, params)
        environments.append(env)
        order(env, fleet)
        if "db" in host.groups:
            fleet.check_connections(env.postgres_max_connections)
    agree({host.name: env for host, env in zip(hosts, environments, strict=True) if fleet.member(host.name).roles})
    return environments


def _each_in_an_environment(inventory: Inventory, where: str) -> None:
    """A name that only a role's group has is most likely misspelt: it has none of the settings that the others have."""
    own = {*declared.ROLES, "all", Path(where).stem}
    lists = {name: hosts for name, hosts in inventory.groups.items() if name not in own and hosts}
    known = [host.name for hosts in lists.values() for host in hosts]
    for host in inventory:
        roles = [role for role in declared.ROLES if role in host.groups]
        if known and roles and host.name not in known and faults(host.data.dict()):
            close = get_close_matches(host.name, known, n=1)
            meant = f"did you mean {close[0]}?" if close else f"add it there, or take it out of {roles[0]}"
            raise OperatorError(
                f"inventory {where}: group {roles[0]} has {host.name}, which is no host of {', '.join(lists)}: {meant}"
            )


def _each_once(hosts: list[Any]) -> None:
    """Two names of one host would give it two of everything."""
    seen: dict[tuple[str, int], str] = {}
    for host in hosts:
        where = (str(host.data.get("ssh_hostname") or host.name), int(host.data.get("ssh_port") or 22))
        if where in seen:
            raise OperatorError(f"{seen[where]} and {host.name} are one host, {where[0]}: give each host one name")
        seen[where] = host.name


def _chosen(inventory: Inventory, params: dict[str, Any]) -> list[str]:
    """Names of the hosts that this run is to work on, in the inventory's order."""
    limit, exclude = params.get("limit") or (), params.get("exclude") or ()
    return [host.name for host in inventory if (not limit or _matches(host, limit)) and not _matches(host, exclude)]


def _one_app_host(inventory: Inventory, chosen: list[str]) -> None:
    """Which host leaves is said by --limit, and it must be one that can."""
    if len(chosen) != 1:
        raise OperatorError("remove_host.py takes one host out: name it with --limit HOST")
    host = inventory.get_host(chosen[0])
    if "app" not in host.groups:
        raise OperatorError(f"{host.name} is not in group app, so there is nothing to take out")
    if len(inventory.get_group("app")) == 1:
        raise OperatorError(f"{host.name} is the only app host; add another and run deploys/production.py first")


def _may_log_in_again(host: Any, env: Environment, params: dict[str, Any]) -> None:
    """A run closes every login but the deploy user's, and every port but the public ones: not the operator's own."""
    user, port = host.data.get("ssh_user"), int(host.data.get("ssh_port") or 22)
    bootstrapping = any(name.endswith("bootstrap.py") for name in params["operations"])
    if user and user != env.deploy_user and not bootstrapping:
        raise OperatorError(
            f"{host.name} has ssh_user {user}, but this run lets only {env.deploy_user} log in; set one of the two"
        )
    if port not in env.public_tcp_ports:
        raise OperatorError(f"{host.name} has ssh_port {port}, which public_tcp_ports would close; add it there")


def _matches(host: Any, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(host.name, pattern) or pattern in host.groups for pattern in patterns)
