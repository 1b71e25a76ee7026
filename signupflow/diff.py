"""A readable difference between two texts."""

from __future__ import annotations

import difflib
from collections.abc import Iterator


def changed_lines(before: str, after: str, name: str) -> Iterator[str]:
    """Unified diff with two lines of context; nothing when the texts are equal."""
    yield from (
        line.rstrip("\n")
        for line in difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            fromfile=f"{name} (on the host)",
            tofile=f"{name} (desired)",
            n=2,
            lineterm="",
        )
    )
