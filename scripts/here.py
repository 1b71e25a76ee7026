"""What each program of this folder imports first: it then runs in the repository's virtual environment and finds its packages."""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
_VENV = ROOT / ".venv"

_program = Path(sys.argv[0]).resolve().parent == FOLDER
if _program and Path(sys.prefix) != _VENV and (_VENV / "bin" / "python").exists():
    # Called without the virtual environment: `make setup` made one, and it has what the programs need.
    os.execv(_VENV / "bin" / "python", [str(_VENV / "bin" / "python"), *sys.argv])
# Without this folder: `secrets` is a module of the standard library, and a program here.
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry and Path(entry).resolve() != FOLDER)]
