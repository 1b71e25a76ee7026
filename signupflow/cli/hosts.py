"""Verbs that go to one host by ssh: logs, psql, console. The address, the login and the pinned key come from the inventory."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from signupflow.cli.running import ROOT, Target, shown, target_options
from signupflow.errors import OperatorError
from signupflow.host_names import limited
from signupflow.shared.places import POSTGRES, TRAEFIK

CONTAINERS = {
    "app": "--filter label=org.signupflow.app",
    "traefik": f"--filter name=^{TRAEFIK}$",
    "postgres": f"--filter name=^{POSTGRES}$",
}
ROLES = {"app": "app", "traefik": "edge", "postgres": "db"}


def inventory_of(target: Target) -> dict[str, Mapping[str, Any]]:
    """Host name to its groups and data, in the inventory's order, as the deploys read it, with what this run overrides."""
    data = [word for pair in target.data for word in ("--data", pair)]
    command = [sys.executable, "-m", "deploys.inventory_json", target.inventory, *data]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise OperatorError(f"the inventory {target.inventory} cannot be read: {said[-1] if said else 'pyinfra failed'}")
    return {item["name"]: item for item in json.loads(done.stdout)}


def hosts_of(target: Target, role: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and data of the hosts that have a role; those that --limit leaves when it is given."""
    hosts = inventory_of(target)
    chosen = limited(target.limit, {name: item.get("groups", ()) for name, item in hosts.items()}, target.inventory)
    found = [(name, hosts[name].get("data", {})) for name in chosen if role in hosts[name].get("groups", ())]
    if not found:
        named = f" and is named by --limit {' '.join(target.limit)}" if target.limit else ""
        raise OperatorError(f"no host of {target.inventory} has the role {role}{named}")
    return found


def ssh(name: str, data: Mapping[str, Any], script: str, terminal: bool = False, options: Sequence[str] = ()) -> list[str]:
    """The ssh command for a script on a host, as root."""
    told = {
        "port": ("-p", data.get("ssh_port")),
        "key": ("-i", data.get("ssh_key")),
        "known_hosts": ("-o", f"UserKnownHostsFile={data['ssh_known_hosts_file']}" if data.get("ssh_known_hosts_file") else None),
        "strict": ("-o", "StrictHostKeyChecking=yes"),
    }
    words = [str(word) for flag, value in told.values() if value for word in (flag, value)]
    user = f"{data['ssh_user']}@" if data.get("ssh_user") else ""
    return [
        "ssh",
        *(["-t"] if terminal else []),
        *words,
        *options,
        f"{user}{data.get('ssh_hostname') or name}",
        f"sudo sh -c {shlex.quote(f'umask 022; {script}')}",
    ]


@click.command()
@click.argument("service", type=click.Choice(list(CONTAINERS)), default="app", help="Whose log; default app.")
@click.option("--lines", "-n", type=click.IntRange(0), default=100, show_default=True, help="How many of each container.")
@click.option("--follow", "-f", is_flag=True, help="Go on as they come; end with Ctrl-C.")
@target_options
def logs(service: str, lines: int, follow: bool, target: Target) -> None:
    """Show what the containers of a service write. On all hosts that run it."""
    running = []
    for name, data in hosts_of(target, ROLES[service]):
        followed = "--follow" if follow else ""
        script = (
            f"docker ps --format '{{{{.Names}}}}' {CONTAINERS[service]} | {{ while read -r c; do"
            f' docker logs --tail {lines} {followed} $c 2>&1 </dev/null | sed -u "s#^#{name} $c  #" & done; wait; }}'
        )
        command = ssh(name, data, script)
        shown(command)
        running.append(subprocess.Popen(command))
    try:
        codes = [process.wait() for process in running]
    except KeyboardInterrupt:
        for process in running:
            process.terminate()
        codes = [0]
    if any(codes):
        sys.exit(max(codes))


@click.command()
@click.option("--write", is_flag=True, help="Transactions may write; without it they are read-only.")
@click.option("--command", "-c", "sql", default="", help="Run this and end.")
@target_options
def psql(write: bool, sql: str, target: Target) -> None:
    """Open PostgreSQL's prompt, read-only without --write."""
    ((name, data),) = hosts_of(target, "db")[:1]
    database = data.get("postgres_database", "signupflow")
    mode = "" if write else "-e PGOPTIONS='-c default_transaction_read_only=on'"
    terminal = not sql and sys.stdin.isatty()
    client = f"psql -X -v ON_ERROR_STOP=1 -d {database}"
    script = f"docker exec -i{'t' if terminal else ''} -u postgres {mode} {POSTGRES} {client}"
    become(ssh(name, data, f"{script} -c {shlex.quote(sql)}" if sql else script, terminal))


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, help="What to run there; default python.")
@target_options
def console(command: tuple[str, ...], target: Target) -> None:
    """Open a Python prompt in a replica, or run COMMAND there. Options of signupflow go before COMMAND.

    It has the app's settings and its database.
    """
    name, data = hosts_of(target, "app")[0]
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    inside = shlex.join(command or ("python",))
    none = "{ echo 'no replica runs here' >&2; exit 1; }"
    find = f'c=$(docker ps --quiet {CONTAINERS["app"]} | head -n 1); test -n "$c" || {none}'
    become(ssh(name, data, f"{find}; docker exec -i{'t' if terminal else ''} $c {inside}", terminal))


def become(command: list[str]) -> None:
    """Show a command and let it take the place of this program: its terminal and its exit code."""
    shown(command)
    os.execvp(command[0], command)


ALL = (logs, psql, console)
