"""Measure what the project claims about time and size, on a lab of its own, and print a table."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table

from lab.client import ROOT, Lab
from signupflow.images import inspect
from tests.labs import down, up
from tests.proofs import convergence

NAME = "bench"


def seconds(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def module(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)


def megabytes(image: str) -> float:
    found = inspect(image)
    if found is None:
        raise click.ClickException(f"no image {image}; run `make build`")
    return float(found["Size"]) / 1e6


def restart_seconds(lab: Lab) -> float:
    """From `docker start` of the app's container to its first 200 of /health/ready, asked inside the host."""
    name = lab.ssh("h1", "sudo docker ps --filter label=org.signupflow.app=signupflow --format '{{.Names}}'").strip()
    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    script = (
        f"sudo docker stop {name} >/dev/null; start=$(date +%s%N); sudo docker start {name} >/dev/null;"
        f" address=$(sudo docker inspect --format '{address}' {name} | cut -d' ' -f1);"
        " until curl -sf -o /dev/null http://$address:8000/health/ready; do sleep 0.02; done; echo $(( $(date +%s%N) - start ))"
    )
    return int(lab.ssh("h1", script)) / 1e9


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def main(as_json: bool) -> None:
    """Measure on a fresh lab called `bench`, then take it away."""
    rows: dict[str, float] = {}
    down(NAME)
    rows["lab up, images present, seconds"] = seconds(lambda: module("lab", "up", "--name", NAME))
    rows["lab up, already running, seconds"] = seconds(lambda: module("lab", "up", "--name", NAME))
    lab = up(NAME)
    convergence.bootstrap(lab)
    rows["dry run on a bare host, seconds"] = seconds(lambda: lab.pyinfra("--dry", "--json"))
    rows["first deploy on a bare host, seconds"] = seconds(lambda: lab.pyinfra("-y"))
    rows["run that changes nothing, seconds (median of 5)"] = statistics.median(
        seconds(lambda: lab.pyinfra("-y")) for _ in range(5)
    )
    rows["dry run that finds nothing, seconds (median of 5)"] = statistics.median(
        seconds(lambda: lab.pyinfra("--dry", "--json")) for _ in range(5)
    )
    rows["app container start to ready, seconds (median of 5)"] = statistics.median(restart_seconds(lab) for _ in range(5))
    rows["app image over its base, MB"] = megabytes("signupflow/app:local") - megabytes("python:3.13-slim")
    rows["app image, MB"] = megabytes("signupflow/app:local")
    down(NAME)
    if as_json:
        click.echo(json.dumps({name: round(value, 2) for name, value in rows.items()}, indent=2))
        return
    table = Table(title="Measured here", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in rows.items():
        table.add_row(name, f"{value:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
