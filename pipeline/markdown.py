"""Text that others wrote, inside Markdown: nothing in it becomes a link, a mention or the end of its block."""

from __future__ import annotations

import re

CUT = "\n... cut here; the whole is in the run's artifacts"


def block(text: str) -> str:
    """A fenced block whose fence is longer than any that the text holds."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def shortened(text: str, most: int) -> str:
    """At most so many characters."""
    return text if len(text) <= most else text[: most - len(CUT)] + CUT
