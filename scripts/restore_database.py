#!/usr/bin/env python3
"""Bring the database back, on its host; the same as `signupflow restore`.

scripts/restore_database.py [-i INVENTORY] [--target staging|production] [--point-in-time ISO8601] [--dry-run] [--force] ...
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
if Path(sys.prefix) != VENV and (VENV / "bin" / "python").exists():
    # Called without the virtual environment: `make setup` made one, and it has what this needs.
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT / "scripts")]

import click  # noqa: E402

from signupflow.cli.backups import restore  # noqa: E402
from signupflow.errors import OperatorError  # noqa: E402

if __name__ == "__main__":
    try:
        restore()
    except OperatorError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(7)
