"""`python -m benchmarks --name LAB --host HOST`: the other ways alone, as a table."""

from __future__ import annotations

import dataclasses
import json

import click
from rich.console import Console

from benchmarks import Measured, others, prepared, table
from lab.client import Lab


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--name", required=True, help="The lab, which is up; its hosts have the deploy login.")
@click.option("--host", default="h1", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def main(name: str, host: str, as_json: bool) -> None:
    """Measure the other ways to roll a new version on one host of a lab."""
    progress = Console(stderr=True)

    def tell(row: Measured) -> None:
        progress.print(f"{row.way}: {row.failed} of {row.sent} failed, {row.seconds} s {row.statuses}", highlight=False)

    with prepared(Lab.running(name), host) as bench:
        rows = others(bench, tell)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    else:
        Console().print(table(rows))


if __name__ == "__main__":
    main()
