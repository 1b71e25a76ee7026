#!/usr/bin/env python3
"""Build the project's images, or pin a public one by digest.

scripts/images.py build          app, PostgreSQL and what runs on hosts beside them: signupflow/app:local, postgres:17, ops:local
scripts/images.py pin NAME:TAG   print NAME:TAG@sha256:... as the registry has it now
"""

from here import ROOT

# isort: split
import sys
import time
from collections.abc import Mapping

import click

from pipeline import source
from pipeline.build import tag
from signupflow.engine_client import build as build_image
from signupflow.errors import OperatorError
from signupflow.images import inspect, pin


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
        build_image(context, name, build_args=arguments, target=target)
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
    except OperatorError as error:
        sys.exit(f"Error: {error}")
