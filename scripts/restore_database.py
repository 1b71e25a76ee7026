#!/usr/bin/env python3
"""Bring the database back, on its host; the same as `signupflow restore`.

scripts/restore_database.py [-i INVENTORY] [--target staging|production] [--point-in-time ISO8601] [--dry-run] [--force] ...
"""

import here  # noqa: F401

# isort: split
import sys

import click

from signupflow.cli.backups import restore
from signupflow.errors import OperatorError

if __name__ == "__main__":
    try:
        restore()
    except OperatorError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(7)
