#!/usr/bin/env python3
"""Back the database up, on its host; the same as `signupflow backup`.

scripts/backup_database.py [-i INVENTORY] [run | list | check | status | dump KIND | drill | watch]
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

from signupflow.cli.backups import backup  # noqa: E402
from signupflow.errors import OperatorError  # noqa: E402

if __name__ == "__main__":
    try:
        backup()
    except OperatorError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(6)
