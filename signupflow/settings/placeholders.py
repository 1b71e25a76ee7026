"""`$name` in a setting's text: filled in from what is known, and `$$` for a dollar sign. Anything else with one is refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

FOUND = re.compile(r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})?")


def check(text: str, known: Collection[str], where: str) -> None:
    """Raise ValueError for a name that is not known, and for a dollar sign that is neither a name nor escaped."""
    for match in FOUND.finditer(text):
        name = match["named"] or match["braced"]
        if name is None and not match["escaped"]:
            raise ValueError(f"{where} has a lone $; write $$ for a dollar sign")
        if name is not None and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f", did you mean ${close[0]}?" if close else f"; known are {', '.join(f'${item}' for item in sorted(known))}"
            raise ValueError(f"{where} has ${name}, which is not known{meant} (a dollar sign itself is written $$)")


def filled_in(text: str, known: Mapping[str, str]) -> str:
    """The text with every name replaced; what was put in is not looked at again."""
    return FOUND.sub(lambda match: "$" if match["escaped"] else known[match["named"] or match["braced"]], text)
