"""What stands where on a host is written once, in signupflow/shared/places.py."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lab.client import ROOT
from signupflow.shared import places

FOLDERS = ("deploys", "operations", "facts", "signupflow", "backup", "pipeline")
FACTS = {name: value for name, value in vars(places).items() if name.isupper()}
# Numbers of its own that another program has (PostgreSQL's standard port) say nothing by being equal.
OWN = {name: value for name, value in FACTS.items() if name != "POSTGRES_PORT"}


def written(path: Path) -> set[str]:
    """Texts and numbers of a file that are whole values, or what a path or an address begins with; no docstrings, no messages."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int) and " " not in str(node.value):
            text = str(node.value)
            found |= {text, *(text[: place.start()] for place in re.finditer("/", text))}
    return found


@pytest.mark.parametrize("name", OWN)
def test_a_place_is_written_once(name: str) -> None:
    here = Path(places.__file__)
    others = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path != here]
    assert [str(path.relative_to(ROOT)) for path in others if str(OWN[name]) in written(path)] == []


def test_templates_are_told_the_places() -> None:
    for path in (ROOT / "deploys").rglob("*.j2"):
        text = re.sub(r"(?m)^\s*#.*$", "", path.read_text())
        named = [value for value in map(str, OWN.values()) if re.search(rf"(?<![\w./-]){re.escape(value)}(?![\w-])", text)]
        assert named == [], path
