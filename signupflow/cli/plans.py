"""A dry run kept as a file, and run later only if nothing has changed since: `plan` and `apply`."""

from __future__ import annotations

import difflib
import getpass
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from signupflow.cli.running import ROOT, Target, executable, execute, shown, target_options
from signupflow.dryrun import INPUTS, PLANNED, Plan, changed_hosts, read
from signupflow.errors import OperatorError

# The files that a run is made from; the inventory, settings, secrets and images are the dry run's to tell (deploys/inputs.py).
SOURCES = ("config.py", "deploys", "facts", "operations", "signupflow", "group_data")
SHOWN_LINES = 6


@click.command()
@click.argument("version", required=False, help="A tag of `app_image`, or TAG@sha256:...; default the one in group_data.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), default="plan.json", show_default=True, help="Where to keep it.")
@target_options
def plan(version: str | None, output: str, target: Target) -> None:
    """Dry-run a deploy, show it, and keep it for `apply`."""
    _refuse_to_replace(Path(output))
    command = target.command("production", app_version=version)
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "inputs.json")
        text = _dry(command, {INPUTS: str(inputs)})
        used = json.loads(inputs.read_text())
    click.echo(text)
    made = Plan(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        by=getpass.getuser(),
        command=tuple(command),
        sources=_sources(target.inventory),
        inputs=used,
        hosts=read(text),
        text=text,
    )
    Path(output).write_text(made.as_json())
    click.echo(f"kept in {output}; `signupflow apply {output}` runs it if nothing has changed since", err=True)


@click.command()
@click.argument("path", metavar="PLAN", type=click.Path(exists=True, dir_okay=False), help="A file that `plan` kept.")
def apply(path: str) -> None:
    """Run PLAN, if nothing has changed since. A dry run must say exactly what it said then; otherwise what changed is named."""
    kept = Plan.from_json(Path(path).read_text(), path)
    sources = _sources(kept.command[1])
    changed = sorted(name for name in {*kept.sources, *sources} if kept.sources.get(name) != sources.get(name))
    if changed:
        raise OperatorError(f"{', '.join(changed[:5])} changed since the plan was made ({kept.made}); plan again")
    with tempfile.TemporaryDirectory() as folder:
        planned = Path(folder, "inputs.json")
        planned.write_text(json.dumps(dict(kept.inputs)))
        # The dry run compares what it is made from, and the run itself once more: nothing can change in between.
        pinned = {PLANNED: str(planned)}
        _same_as(kept, read(_dry(kept.command, pinned)))
        execute([*kept.command, "-y"], pinned)


def _same_as(kept: Plan, now: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse when a dry run says something else than it said, and show where."""
    if hosts := changed_hosts(kept.hosts, now):
        for name in hosts:
            difference = difflib.unified_diff(kept.hosts.get(name, ()), now.get(name, ()), "planned", "now", lineterm="", n=0)
            for line in list(difference)[2 : 2 + SHOWN_LINES]:
                click.echo(f"    {name}: {line}", err=True)
        raise OperatorError(f"{', '.join(hosts)} changed since the plan was made ({kept.made}); nothing was run, plan again")


def _refuse_to_replace(path: Path) -> None:
    """A plan may take an older plan's place, and nothing else's."""
    if path.exists():
        try:
            kept = json.loads(path.read_text(errors="replace"))
        except ValueError:
            kept = None
        if not isinstance(kept, dict) or "format" not in kept:
            raise OperatorError(f"{path} is there and is no plan: name another file with --output")


def _dry(command: tuple[str, ...] | list[str], environment: Mapping[str, str]) -> str:
    words = [*command, "--dry", "--diff"]
    shown(words)
    done = subprocess.run(
        executable(words),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        click.echo(done.stdout, err=True)
        sys.exit(done.returncode)
    return done.stdout


def _sources(inventory: str) -> dict[str, str]:
    """File to its SHA-256, of all that a run is made from."""
    paths = [ROOT / inventory]
    for name in SOURCES:
        found = ROOT / name
        paths += [found] if found.is_file() else sorted(item for item in found.rglob("*") if item.is_file())
    return {
        str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if "__pycache__" not in path.parts
    }


ALL = (plan, apply)
