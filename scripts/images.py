#!/usr/bin/env python3
"""Build the project's images, or pin a public one by digest.

scripts/images.py build          app, PostgreSQL and what runs on hosts beside them: signupflow/app:local, postgres:17, ops:local
scripts/images.py pin NAME:TAG   print NAME:TAG@sha256:... as the registry has it now
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
if Path(sys.prefix) != VENV and (VENV / "bin" / "python").exists():
    # Called without the virtual environment: `make setup` made one, and it has what this needs.
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT / "scripts")]

import click  # noqa: E402

from lab import engine  # noqa: E402
from lab.errors import LabError  # noqa: E402
from signupflow.delivery import source  # noqa: E402
from signupflow.delivery.build import tag  # noqa: E402
from signupflow.errors import OperatorError  # noqa: E402
from signupflow.images import inspect, pin  # noqa: E402


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Build and pin images."""


@main.command()
def build() -> None:
    """Build the app's, PostgreSQL's and the host commands' image on this machine's Docker Engine."""
    for name, context, target, arguments in (
        ("signupflow/app:local", ROOT, None, _app_arguments()),
        ("signupflow/postgres:17", ROOT / "deploys" / "postgres", None, {}),
        ("signupflow/ops:local", ROOT, "ops", {}),
    ):
        started = time.monotonic()
        engine.build(context, name, build_args=arguments, target=target)
        size = (inspect(name) or {})["Size"] / 1e6
        click.echo(f"{name:<26} {size:6.0f} MB  {time.monotonic() - started:5.1f} s")


def _app_arguments() -> Mapping[str, str]:
    revision = source.of_inputs(ROOT)
    return source.arguments(ROOT, tag(source.version(ROOT), revision.short), revision)


@main.command("pin")
@click.argument("reference")
def pin_(reference: str) -> None:
    """Pull REFERENCE and print it with its digest."""
    click.echo(pin(reference))


if __name__ == "__main__":
    try:
        main()
    except (OperatorError, LabError) as error:
        sys.exit(f"Error: {error}")
