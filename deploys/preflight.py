"""Checks of a run before any host is touched: flags, paths, inventory, settings, secrets, images."""

from __future__ import annotations

import os
import sys
import traceback
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
from deploys.host_data import host_data, remember
from deploys.inputs import keep_or_compare
from deploys.postgres.roles import roles_sql
from signupflow import advice, rotation
from signupflow.errors import OperatorError
from signupflow.host_names import check_listed, limited, split
from signupflow.settings import Environment, agree, from_data
from signupflow.settings.overrides import pairs

# Why each is refused stands in docs/adr/0001-pyinfra-is-the-engine.md.
REFUSED = {
    "no_wait": "--no-wait turns a failed host into exit 0",
    "serial": "--serial runs hosts in random order; releases keep the inventory's order by themselves",
    "retry": "--retry would run a failed rollout once more after it was rolled back",
}

# Files of deploys/ that are none.
NO_DEPLOYS = {"__init__", "environment", "host_data", "inputs", "inventory_json", "preflight"}

# What pyinfra's connectors take as text.
CONNECTOR_TEXTS = {
    *("ssh_hostname", "ssh_user", "ssh_password", "ssh_key", "ssh_key_password"),
    *("ssh_known_hosts_file", "ssh_config_file", "ssh_strict_host_key_checking"),
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
    remember(params["data"])
    _connector_texts(params["data"])
    deploys = [Path(name) for name in params["operations"] if name.endswith(".py")]
    for deploy in deploys:
        if not deploy.is_file():
            raise OperatorError(f"no deploy file {deploy}; deploys/ holds {', '.join(_deploy_files())}")
    path = params["inventory"]
    advice.of(path)
    if not Path(path).is_file():
        raise OperatorError(f"no inventory file {path}; name one that is there (`signupflow init` writes inventory.py)")
    inventory = _inventory(params)
    if not deploys:
        return
    environments = _environments(inventory, params)
    if not any(params.get(flag) for flag in ("yes", "dry", "json_output")) and not sys.stdin.isatty():
        raise OperatorError("there is no terminal to confirm the changes on: add -y to run without asking, or --dry to look")
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
    keep_or_compare(environments, inventory)


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
        raise OperatorError("--fail-percent aborts a run before earlier hosts can be rolled back; leave it out")
    if params.get("dry") and params.get("yes"):
        raise OperatorError("--dry with -y prints no plan; use --dry alone")


def _connector_texts(items: tuple[str, ...]) -> None:
    """pyinfra itself reads what its connectors are told, and as JSON: what would not arrive as it was typed is refused."""
    for name, text in pairs(items).items():
        if name in CONNECTOR_TEXTS and parse_cli_arg(text) != text:
            raise OperatorError(f"--data {name}=... would not arrive as it was typed; set {name} in the inventory, in quotes")


def _deploy_files() -> list[str]:
    return sorted(declared.DEPLOYS)


def _inventory(params: dict[str, Any]) -> Inventory:
    """The same inventory that pyinfra is about to load, with the same overrides."""
    overrides = pairs(params["data"]) | {name: str(params[name]) for name in ("ssh_user", "ssh_port") if params.get(name)}
    try:
        found: Inventory = make_inventory(
            params["inventory"],
            cwd=os.getcwd(),
            override_data={key: parse_cli_arg(value) for key, value in overrides.items()},
            group_data_directories=params["group_data"],
        )
        return found
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
    _host_names(inventory, params)
    try:
        fleet = fleet_of(inventory)
    except OperatorError as error:
        raise OperatorError(f"inventory {where}: {error}") from None
    if not _chosen(inventory, params):
        raise OperatorError(f"--limit and --exclude leave no host of {where}")
    _each_once(hosts)
    environments = []
    for host in hosts:
        env = from_data(host_data(host, inventory), host.name)
        _may_log_in_again(host, env, params)
        environments.append(env)
        order(env, fleet)
        if "db" in host.groups:
            fleet.check_connections(env.postgres_max_connections)
    agree({host.name: env for host, env in zip(hosts, environments, strict=True) if fleet.member(host.name).roles})
    return environments


def _groups(inventory: Inventory) -> dict[str, list[str]]:
    return {host.name: list(host.groups) for host in inventory}


def _host_names(inventory: Inventory, params: dict[str, Any]) -> None:
    """Every name that was typed is a host's or a group's: in the inventory's lists, and in --limit."""
    where = f"inventory {params['inventory']}"
    check_listed(_groups(inventory), [host.name for host in inventory if inventory.get_host_data(host.name)], where)
    several = next((pattern for pattern in params["limit"] if "," in pattern), None)
    if several:
        words = " ".join(f"--limit {name}" for name in split([several]))
        raise OperatorError(f"pyinfra takes one name with each --limit: {words} (signupflow takes --limit {several})")
    limited(params["limit"], _groups(inventory), where)


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
    groups, where = _groups(inventory), f"inventory {params['inventory']}"
    left_out = limited(params["exclude"], groups, where) if params.get("exclude") else []
    return [name for name in limited(params["limit"], groups, where) if name not in left_out]


def _one_app_host(inventory: Inventory, chosen: list[str]) -> None:
    """Which host leaves is said by --limit, and it must be one that can."""
    if len(chosen) != 1:
        raise OperatorError("remove_host.py takes one host out: name it with --limit HOST")
    host = inventory.get_host(chosen[0])
    if "app" not in host.groups:
        raise OperatorError(f"{host.name} is not in group app, so there is nothing to take out")
    if len(inventory.get_group("app")) == 1:
        raise OperatorError(f"{host.name} is the only app host; add another and run `{advice.command('deploy')}` first")


def _may_log_in_again(host: Any, env: Environment, params: dict[str, Any]) -> None:
    """A run closes every login but the deploy user's: not the operator's own. The port of its connection stays open."""
    user = host.data.get("ssh_user")
    bootstrapping = any(name.endswith("bootstrap.py") for name in params["operations"])
    if user and user != env.deploy_user and not bootstrapping:
        raise OperatorError(
            f"{host.name} has ssh_user {user}, but this run lets only {env.deploy_user} log in; set one of the two"
        )
