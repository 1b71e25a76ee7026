#!/usr/bin/env python3
"""Back the database up, on its host; the same as `signupflow backup`.

scripts/backup_database.py [-i INVENTORY] [run | list | check | status | dump KIND | drill | watch]
"""

import here  # noqa: F401

# isort: split
import sys

import click

from signupflow.cli.backups import backup
from signupflow.errors import OperatorError

if __name__ == "__main__":
    try:
        backup()
    except OperatorError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(6)
