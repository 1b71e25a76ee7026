"""Files of lines that are only appended to, as a power cut may leave them: the last line half written, or as zero bytes.

One bad line must cost that line alone: what is appended after it begins a line of its own, and what is read is read line by
line. `str.splitlines` will not do for reading, because it also splits at bytes that only a damaged line holds.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from typing import Any, TypeVar

Line = TypeVar("Line")


def lines(text: str) -> list[str]:
    """Lines with their line breaks; the last may have none."""
    found = [f"{line}\n" for line in text.split("\n")]
    return [*found[:-1], *([found[-1][:-1]] if found[-1] != "\n" else [])]


def parsed(kind: type[Line], line: str) -> Line | None:
    """A line of JSON as what it is; None when it is none. Fields of a newer version are passed over."""
    try:
        found: dict[str, Any] = json.loads(line)
        known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # any dataclass
        return kind(**{name: value for name, value in found.items() if name in known})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def on_a_new_line(path: str) -> str:
    """A line of a script: whatever is appended next begins a line, also after one that was cut off."""
    quoted = shlex.quote(path)
    return f"test ! -s {quoted} || test \"$(tail -c 1 {quoted} | od -An -tx1 | tr -d ' ')\" = 0a || echo >> {quoted}\n"


def append_script(path: str, line: str) -> str:
    """Append one line to a file that may not be there yet."""
    return (
        f"mkdir -p $(dirname {shlex.quote(path)})\n{on_a_new_line(path)}printf '%s\\n' {shlex.quote(line)} >> {shlex.quote(path)}"
    )
