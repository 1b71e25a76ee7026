"""From a bare machine to SignUpFlow over HTTPS on a real host: lab, images, bootstrap, deploy, proof."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lab.client import ROOT, Lab

console = Console(highlight=False)


class Stages:
    """Runs the demo's commands one after another and remembers how long each took."""

    def __init__(self) -> None:
        self.seconds: list[tuple[str, float]] = []

    def run(self, title: str, *command: str, given: Mapping[str, str] | None = None) -> None:
        console.rule(f"[bold]{title}", align="left")
        console.print(f"[dim]$ {' '.join(command)}[/]", soft_wrap=True)
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(given or {})}, check=False)
        self.seconds.append((title, time.monotonic() - started))
        if done.returncode:
            raise click.ClickException(f"{title} failed with exit code {done.returncode}; the reason is printed above")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--topology",
    type=click.Choice(["single", "cluster"]),
    default="single",
    show_default=True,
    help="One host that is everything, or an edge, two app and a database host.",
)
def main(topology: str) -> None:
    """Set the lab up, deploy SignUpFlow to it and show that it serves."""
    started = time.monotonic()
    stages = Stages()
    python, pyinfra = sys.executable, str(Path(sys.executable).with_name("pyinfra"))
    stages.run("Lab", python, "-m", "lab", "up", "--topology", topology)
    lab = Lab.running()
    stages.run("Images", python, "scripts/images.py", "build")
    if not Path(lab["secrets_file"]).exists():
        files = ("--file", lab["secrets_file"], "--key", lab["age_key_file"])
        stages.run("Secrets", python, "scripts/secrets.py", "init", "lab", *files, given=lab.given())
    if bare := lab.not_bootstrapped():
        stages.run("Bootstrap", pyinfra, lab["inventory"], "deploys/bootstrap.py", "-y", "--user", "root", *bare)
    stages.run("Deploy", pyinfra, lab["inventory"], "deploys/production.py", "-y")
    console.rule("[bold]Proof", align="left")
    health = _healthy(lab)
    console.print_json(json.dumps(health))
    console.print(_what_runs_where(lab))
    console.print(_times(stages))
    console.print(f"\nSignUpFlow {health['version']} is {health['status']} at [bold]https://{lab['domains'][0]}/[/]")
    console.print(
        f"[dim]curl --cacert {lab['ca_file']} --resolve {lab.resolve(lab['domains'][0])} https://{lab['domains'][0]}/health[/]",
        soft_wrap=True,
    )
    console.print(f"Done in {time.monotonic() - started:.0f} s. `{_down(topology)}` removes it all.")


def _down(topology: str) -> str:
    return "make lab-down" + (f" TOPOLOGY={topology}" if topology != "single" else "")


def _healthy(lab: Lab) -> dict[str, Any]:
    """Fetch /health of every domain over HTTPS, trusting the lab's CA only; the first time waits for certificates."""
    answers = [lab.wait_for_health(domain, seconds=60) for domain in lab["domains"]]
    return answers[0]


def _what_runs_where(lab: Lab) -> Table:
    table = Table(title="What runs where", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("host", "container", "image", "state"):
        table.add_column(column, overflow="fold")
    for host in lab["hosts"]:
        listing = lab.ssh(host["name"], "sudo docker ps --format '{{.Names}}\t{{.Image}}\t{{.Status}}' 2>/dev/null | sort")
        for line in listing.splitlines():
            name, image, state = line.split("\t")
            table.add_row(host["fqdn"], name, image.partition("@")[0], state)
    return table


def _times(stages: Stages) -> Table:
    table = Table(title="Time", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for title, seconds in stages.seconds:
        table.add_row(title, f"{seconds:.1f}")
    return table


if __name__ == "__main__":
    try:
        main()
    except (TimeoutError, subprocess.CalledProcessError, RuntimeError) as error:
        # A lab that was stopped and started has a CA with a new root, which old certificates do not chain to.
        sys.exit(
            f"Error: {error}\nIf this machine was restarted since the lab was made: `make lab-down`, then `make demo` again."
        )
