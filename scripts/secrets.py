#!/usr/bin/env python3
"""Secrets of an environment: one age file, committed; the key stays with its holders.

scripts/secrets.py init ENVIRONMENT      make a key and a file with generated secrets
scripts/secrets.py show ENVIRONMENT      names, never values
"""

import os
import sys
from pathlib import Path

# This file's name is that of a module of the standard library: keep its folder off the path.
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
if Path(sys.prefix) != VENV and (VENV / "bin" / "python").exists():
    # Called without the virtual environment: `make setup` made one, and it has what this needs.
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT / "scripts")]

from signupflow.secrets_cli import main  # noqa: E402

if __name__ == "__main__":
    main()
