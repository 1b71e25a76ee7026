"""`python -m lab isolate|mend|reboot|crash|lose HOST`: lab/faults.py for a person at a terminal."""

from __future__ import annotations

import click

from lab import engine, faults, hosts
from lab.options import named
from lab.state import Host, State, require


def _chosen(name: str, host: str) -> tuple[State, Host]:
    state = require(name)
    chosen = hosts.find(state, host)
    engine.require()
    return state, chosen


@click.command()
@named
@click.argument("host")
def isolate(name: str, host: str) -> None:
    """Take HOST off the network: packets are dropped both ways, silently. Until `reconnect`, `up` or a restart of the host."""
    state, chosen = _chosen(name, host)
    faults.isolate(state, chosen)
    click.echo(f"{chosen.fqdn} is off the network")


@click.command()
@named
@click.argument("host")
def reconnect(name: str, host: str) -> None:
    """Put HOST back on the network, and start it when it is off."""
    state, chosen = _chosen(name, host)
    click.echo(f"{chosen.fqdn} is back" if faults.reconnect(state, chosen) else f"{chosen.fqdn} was not cut")


@click.command()
@named
@click.argument("host")
def reboot(name: str, host: str) -> None:
    """Restart HOST as `reboot` would, and wait until it takes SSH."""
    state, chosen = _chosen(name, host)
    faults.reboot(state, chosen)
    click.echo(f"{chosen.fqdn} takes SSH")


@click.command()
@named
@click.option("--stay-off", is_flag=True, help="Leave it without power, until `reconnect` or `up`.")
@click.argument("host")
def crash(name: str, stay_off: bool, host: str) -> None:
    """Cut HOST's power: its processes end at once. It boots again, and is waited for until it takes SSH."""
    state, chosen = _chosen(name, host)
    faults.crash(state, chosen, stay_off)
    click.echo(f"{chosen.fqdn} is off" if stay_off else f"{chosen.fqdn} takes SSH")


@click.command()
@named
@click.argument("host")
def destroy(name: str, host: str) -> None:
    """Destroy HOST with its disks, as a fire would. `up` puts an empty machine in its place, with new SSH host keys."""
    state, chosen = _chosen(name, host)
    faults.destroy(state, chosen)
    click.echo(f"{chosen.fqdn} is gone; `up` brings an empty one")


COMMANDS: tuple[click.Command, ...] = (isolate, reconnect, reboot, crash, destroy)
