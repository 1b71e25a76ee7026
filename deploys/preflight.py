"""Checks of a run before any host is touched: flags, paths, inventory, settings, secrets, images."""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
from pyinfra.api import Inventory
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import parse_cli_arg

from deploys.app.configuration import secret_values
from deploys.environment import fleet_of, image, order, secrets_of
from deploys.postgres.roles import roles_sql
from signupflow import rotation
from signupflow.errors import OperatorError
from signupflow.settings import Environment, agree, from_data

# Why each is refused stands in docs/adr/0001-pyinfra-is-the-engine.md.
REFUSED = {
    "no_wait": "--no-wait turns a failed host into exit 0",
    "serial": "--serial runs hosts in random order; releases keep the inventory's order by themselves",
}

# Deploys that need no secret, and those that need no image on this machine.
WITHOUT_SECRETS = {"bootstrap.py", "logins.py", "unlock.py", "status.py", "history.py", "maintenance.py"}
OF_WHAT_HOSTS_HAVE = {"rollback.py", "restart.py", "scale.py", "abort.py", "remove_host.py", "rotate.py", *WITHOUT_SECRETS}


def check() -> None:
    """Exit with one clear line when this run could not end well."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
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
        raise OperatorError(f"no inventory file {path}; use inventory.py, or the path that `python -m lab inventory` prints")
    if not deploys:
        return
    environments = _environments(_inventory(params), params)
    names = {deploy.name for deploy in deploys}
    if names <= WITHOUT_SECRETS:
        return
    if "remove_host.py" in [deploy.name for deploy in deploys]:
        _one_app_host(_inventory(params), params["limit"])
    for env in environments:
        _render_secrets(env)
        if names <= OF_WHAT_HOSTS_HAVE:
            continue
        for reference in (env.traefik_image, env.postgres_image, env.app_image):
            image(reference)
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
    return sorted(path.name for path in Path("deploys").glob("*.py") if path.stem not in ("__init__", "environment", "preflight"))


def _inventory(params: dict[str, Any]) -> Inventory:
    """The same inventory that pyinfra is about to load, with the same overrides."""
    unnamed = [item for item in params["data"] if "=" not in item]
    if unnamed:
        raise OperatorError(f"--data {unnamed[0]} has no value; write --data NAME=VALUE")
    overrides = dict(item.split("=", 1) for item in params["data"])
    overrides |= {name: str(params[name]) for name in ("ssh_user", "ssh_port") if params.get(name)}
    found: Inventory = make_inventory(
        params["inventory"],
        cwd=os.getcwd(),
        override_data={key: parse_cli_arg(value) for key, value in overrides.items()},
        group_data_directories=params["group_data"],
    )
    return found


def _environments(inventory: Inventory, params: dict[str, Any]) -> list[Environment]:
    hosts = list(inventory)
    where = params["inventory"]
    if not hosts:
        raise OperatorError(f"inventory {where} names no hosts; add them to its groups edge, app and db")
    try:
        fleet = fleet_of(inventory)
    except OperatorError as error:
        raise OperatorError(f"inventory {where}: {error}") from None
    limit = [host.name for host in hosts if _matches(host, params["limit"])]
    if params["limit"] and not limit:
        raise OperatorError(f"--limit {' '.join(params['limit'])} matches no host of {where}")
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


def _one_app_host(inventory: Inventory, limit: tuple[str, ...]) -> None:
    """Which host leaves is said by --limit, and it must be one that can."""
    chosen = [host for host in inventory if _matches(host, limit)]
    if len(chosen) != 1:
        raise OperatorError("remove_host.py takes one host out: name it with --limit HOST")
    host = chosen[0]
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
