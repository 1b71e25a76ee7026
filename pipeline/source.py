"""What the app's image is made from, and the build arguments that say so in its labels."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from signupflow.errors import OperatorError
from signupflow.release import schema

INPUTS = ("app", "sqlite_import", "alembic", "alembic.ini", "Dockerfile", ".dockerignore", "requirements/app.txt")


@dataclass(frozen=True)
class Revision:
    """One commit: its full and short name, when it was made (ISO 8601)."""

    commit: str
    created: str
    short: str


def of_inputs(root: Path) -> Revision:
    """The last commit that touched an input: an image built here does not change with what it does not hold."""
    return _revision(root, "--", *INPUTS)


def of_head(root: Path) -> Revision:
    """The commit that is checked out: what a pipeline builds is named after the commit that it tested."""
    if _git(root, "status", "--porcelain", "--", *INPUTS):
        raise OperatorError(
            f"{', '.join(INPUTS[:2])} or another input of the image has changes that are in no commit; commit them"
        )
    return _revision(root)


def version(root: Path) -> str:
    """The project's."""
    found: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return found


def arguments(root: Path, version: str, revision: Revision) -> Mapping[str, str]:
    """Build arguments of the Dockerfile."""
    dirty = "-dirty" if _git(root, "status", "--porcelain", "--", *INPUTS) else ""
    migrations = schema.from_sources(path.read_text() for path in (root / "alembic" / "versions").glob("*.py"))
    return {
        "VERSION": version + dirty,
        "REVISION": revision.commit + dirty,
        "CREATED": revision.created,
        "SOURCE": _source(root),
        "SCHEMA_REVISION": migrations[-1].revision,
        "SCHEMA_MIGRATIONS": schema.encode(migrations),
    }


def _revision(root: Path, *which: str) -> Revision:
    found = _git(root, "log", "-1", "--format=%H %cI %h", *which).split()
    return Revision(*found) if found else Revision("unknown", "unknown", "unknown")


def _source(root: Path) -> str:
    """Where the sources are, as git's remote says; a clone by path or with a token in its URL says nothing."""
    remotes = _git(root, "remote", "get-url", "origin") if "origin" in _git(root, "remote").split() else ""
    return remotes if remotes.startswith("https://") and "@" not in remotes else "unknown"


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout.strip()
