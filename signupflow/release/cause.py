"""The line among a failed command's output that says why."""

from __future__ import annotations

import re

# `psycopg2.errors.DivisionByZero: division by zero`, `Error response from daemon: ...`, `ERROR:  relation ...`
SAID = re.compile(r"^(?:\w+\.)*(?:\w*(?:Error|Exception|errors\.\w+)|ERROR|FATAL)\b[^:]*: *\S")
LONGEST = 300


def cause(output: str) -> str:
    """The first line that reads like an error's own, for what follows is mostly its echo; else the last line there is."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return "it failed without a word"
    found = next((line for line in lines if SAID.match(line)), lines[-1])
    return found[:LONGEST]
