"""What a step hands on: its outputs, and its part of the run's summary page. Elsewhere than on a runner both are only printed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from signupflow.errors import OperatorError

# GitHub takes a mebibyte for each step.
MOST_SUMMARY = 900_000


def output(name: str, value: str) -> None:
    """One value for later steps. One printable line, so that no value can add another output."""
    if not value.isprintable():
        raise OperatorError(f"the output {name} holds a line end or a control character")
    click.echo(f"{name}={value}")
    _append("GITHUB_OUTPUT", f"{name}={value}\n")


def summary(markdown: str) -> None:
    """Shown on the page of the run, which is where somebody approves."""
    click.echo(markdown)
    _append("GITHUB_STEP_SUMMARY", markdown + "\n")


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a") as file:
            file.write(text)
