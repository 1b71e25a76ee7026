#!/usr/bin/env python3
"""SignUpFlow's SQLite database into PostgreSQL: every row, or not one. Its story: docs/deployment/DATABASE_MIGRATION.md."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
if Path(sys.prefix) != VENV and (VENV / "bin" / "python").exists():
    # Called without the virtual environment: `make setup` made one, and it has what this needs.
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])
# This folder has a module named like one of the standard library: keep it off the path.
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT / "scripts")]

from signupflow.sqlite_import.command import main  # noqa: E402

if __name__ == "__main__":
    main()
