#!/usr/bin/env python3
"""Prove that the offline key opens what is stored: the newest dump of each kind is fetched, compared and unsealed.

scripts/escrow_check.py --key OFFLINE.key [-i INVENTORY]     the bucket's keys are read from the environment's secrets file
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

from signupflow.cli.escrow import run  # noqa: E402

if __name__ == "__main__":
    run()
