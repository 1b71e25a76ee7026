"""`python -m lab`: a lab of servers on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import sys

import click
from rich.console import Console
from rich.table import Table

from lab import containers, engine, fault_commands, faults, flavours, hosts, inventory, lifecycle, network, topology
from lab.errors import LabError
from lab.options import named
from lab.state import State, require
from signupflow.errors import OperatorError

out = Console()
progress = Console(stderr=True)


class OneLine(click.Group):
    """What the library refuses, or a file that cannot be read or written (another user's lab, say), is one line as well."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except LabError:
            raise
        except OperatorError as error:
            raise LabError(str(error)) from None
        except OSError as error:
            raise LabError(f"{error.filename or 'lab'}: {error.strerror or error}") from error


@click.group(cls=OneLine, help=__doc__)
def main() -> None:
    pass


@main.command()
@named
@click.option(
    "--topology",
    "wanted",
    type=click.Choice(list(topology.ROLES)),
    help="One host that is everything, or edge, app, app and db [default: as before, single at first].",
)
@click.option("--hosts", "count", type=int, help="How many hosts [default: as before; at first 1, or 4 in the cluster].")
@click.option(
    "--certificate-lifetime",
    "lifetime",
    type=click.IntRange(min=0),
    help="Seconds that the ACME CA's certificates are valid; 0 is the CA's own default. A change restarts the CA.",
)
@click.option(
    "--flavour",
    type=click.Choice(list(flavours.BY_NAME)),
    help="A past for the first host (docs/LAB.md) [default: as before].",
)
def up(name: str, wanted: str | None, count: int | None, lifetime: int | None, flavour: str | None) -> None:
    """Start the lab, or bring it to where it should be. Hosts that run are kept as they are."""
    lifecycle.up(name, wanted, count, lifetime, progress, flavour)


@main.command()
@named
def down(name: str) -> None:
    """Remove the lab: containers, volumes, network and files. Images stay."""
    lifecycle.down(name, progress)


@main.command()
@named
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def status(name: str, as_json: bool) -> None:
    """Show hosts and servers with their addresses and states."""
    state = require(name)
    engine.require()
    rows = [
        (host.fqdn, host.address, list(host.roles), _state(state, host.name), faults.is_cut(state, host))
        for host in state.host_list()
    ]
    beside = [(f"{server}.{state.zone}", state.address(server), _state(state, server)) for server in network.SERVERS]
    if as_json:
        listed = [dict(zip(("name", "address", "roles", "state", "cut"), row, strict=True)) for row in rows]
        others = [dict(zip(("name", "address", "state"), row, strict=True)) for row in beside]
        click.echo(json.dumps({"name": name, "topology": state.topology, "hosts": listed, "servers": others}, indent=2))
        return
    table = Table("name", "address", "roles", "state", title=f"lab {name}, {state.topology}")
    for fqdn, address, roles, condition, cut in rows:
        table.add_row(fqdn, address, " ".join(roles), f"{condition}, cut" if cut else condition)
    for fqdn, address, condition in beside:
        table.add_row(fqdn, address, "-", condition)
    out.print(table)


def _state(state: State, what: str) -> str:
    found = containers.describe(state.container(what))
    return found["state"] if found else "absent"


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@named
@click.option("--user", help="Log in as [default: deploy once it exists, root before].")
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str, user: str | None, host: str, command: tuple[str, ...]) -> None:
    """Log in to HOST by SSH, or run COMMAND there."""
    state = require(name)
    engine.require()
    chosen = hosts.find(state, host)
    if not shutil.which("ssh"):
        raise LabError("there is no ssh client: install openssh-client")
    argv = hosts.ssh_command(state, chosen, user or hosts.login(state, chosen), *command)
    os.execvp(argv[0], argv)


@main.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@named
@click.argument("host")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(name: str, host: str, command: tuple[str, ...]) -> None:
    """Run COMMAND on HOST as root through Docker, when SSH does not answer: lab exec h1 -- journalctl -b."""
    state = require(name)
    engine.require()
    chosen = hosts.find(state, host)
    command = command[1:] if command[0] == "--" else command
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    argv = [engine.docker_client(), "exec", "--interactive", *terminal, state.container(chosen.name), *command]
    os.execvp(argv[0], argv)


def _finished(name: str) -> State:
    state = require(name)
    if not inventory.path(state).is_file():
        raise LabError(f"lab {name} is not complete: python -m lab up --name {name}")
    return state


@main.command(name="inventory")
@named
def inventory_(name: str) -> None:
    """Print the path of the lab's pyinfra inventory."""
    click.echo(inventory.path(_finished(name)))


@main.command()
@named
@click.option("--json", "as_json", is_flag=True, help="JSON instead of shell exports.")
def env(name: str, as_json: bool) -> None:
    """Print names, addresses, keys and paths: eval "$(python -m lab env)"."""
    values = inventory.environment(_finished(name))
    click.echo(json.dumps(values, indent=2) if as_json else inventory.shell(values))


for command in fault_commands.COMMANDS:
    main.add_command(command)

if importlib.util.find_spec("lab.compare"):
    main.add_command(importlib.import_module("lab.compare").command)
