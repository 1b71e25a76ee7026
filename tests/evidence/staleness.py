"""Whether what a line depends on has changed since it was proven, as git knows it."""

from __future__ import annotations

import functools
import subprocess

from tests.evidence.promises import BY_LINE
from tests.evidence.record import ROOT, Record


def stale(record: Record) -> str:
    """Why a line may not be what was proven any more; empty when nothing that it depends on has changed."""
    if record.dirty:
        return "measured on a modified work tree"
    return _since(record.commit, BY_LINE[record.line].paths)


@functools.cache
def _since(commit: str, paths: tuple[str, ...]) -> str:
    """A clone may be shallow, and history may have been rewritten: a commit that is not here proves nothing."""
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        return "the commit is not in this clone"
    found = _git("rev-list", "--count", f"{commit}..HEAD", "--", *paths)
    if found.returncode:
        return "git does not know what has changed since"
    count = int(found.stdout)
    return f"{count} commits since" if count > 1 else "1 commit since" if count else ""


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
