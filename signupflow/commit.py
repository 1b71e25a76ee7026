"""Which commit of this repository hosts are deployed from."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Whom to trust, not what hosts get: a delivery writes its environment's pinned keys there, whatever the commit has.
PINNED_HOSTS = "known_hosts"


def described(root: Path) -> str:
    """Its first 12 digits, with `-dirty` behind them when files differ from it; empty outside a repository."""
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ":/", f":(top,exclude){PINNED_HOSTS}")
    return f"{commit}-dirty" if commit and changed else commit


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
