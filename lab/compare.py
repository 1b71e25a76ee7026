"""What a dry run announced against what the run did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from signupflow import dryrun


@dataclass(frozen=True)
class Step:
    """One operation on one host."""

    operation: str
    host: str


@dataclass(frozen=True)
class Comparison:
    """Steps by what became of them; a run did what was announced when the last three are empty."""

    as_announced: list[Step]
    not_announced: list[Step]
    not_done: list[Step]
    failed: list[Step]

    @property
    def equal(self) -> bool:
        return not (self.not_announced or self.not_done or self.failed)


def announced(dry: dict[str, Any]) -> set[Step]:
    """Steps that `pyinfra --dry --json` listed as a change."""
    return {Step(*pair) for pair in dryrun.announced(dry)}


def done(run: dict[str, Any], outcome: str) -> set[Step]:
    """Steps that `pyinfra --json -y` reports with an outcome: success (a change), no_change or error."""
    if run.get("results") is None:
        raise click.ClickException("RUN.json holds a dry run; give the output of `pyinfra ... --json -y`")
    return {Step(row["name"], host) for row in run["results"]["operations"] for host in row[outcome]}


def compare(dry: dict[str, Any], run: dict[str, Any]) -> Comparison:
    """Compare the two documents step by step."""
    before, after = announced(dry), done(run, "success")

    def order(step: Step) -> tuple[str, str]:
        return step.host, step.operation

    return Comparison(
        as_announced=sorted(before & after, key=order),
        not_announced=sorted(after - before, key=order),
        not_done=sorted(before - after - done(run, "error"), key=order),
        failed=sorted(done(run, "error"), key=order),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        document["plan"]
    except (ValueError, KeyError, TypeError):
        raise click.ClickException(f"{path} is not the output of `pyinfra --json`") from None
    return document


@click.command("compare")
@click.argument("dry", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("run", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(dry: Path, run: Path) -> None:
    """Compare DRY.json (pyinfra --dry --json) with RUN.json (pyinfra --json -y). Exits 1 when they differ."""
    result = compare(_load(dry), _load(run))
    for title, steps in (
        ("announced and done", result.as_announced),
        ("done, NOT announced", result.not_announced),
        ("announced, NOT done", result.not_done),
        ("failed", result.failed),
    ):
        click.echo(f"{len(steps):4d}  {title}")
        if title != "announced and done":
            for step in steps:
                click.echo(f"        {step.host}: {step.operation}")
    if not result.equal:
        raise SystemExit(1)
