"""Values as literal Python that `ruff format` leaves alone, and such a file read back without running it."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

WIDTH = 130
INDENT = 4
BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}")}


def assignments(docstring: str, *blocks: Mapping[str, Any]) -> str:
    """A file of `NAME = VALUE` lines; blocks are set apart by an empty line."""
    text = "\n\n".join("\n".join(_assignment(name, value) for name, value in block.items()) for block in blocks if block)
    return f'"""{docstring}"""\n\n{text}\n'


def _assignment(name: str, value: Any) -> str:
    return f"{name} = {literal(value, column=len(name) + 3)}"


def literal(value: Any, indent: int = 0, column: int = 0, after: int = 0) -> str:
    """One value. `column` is where it begins, `after` what follows it on its last line; several hosts take a line each."""
    line = _one_line(value)
    kind = type(value)
    if kind not in BRACKETS or not value or (column + len(line) + after <= WIDTH and not _hosts(value)):
        return line
    inner = indent + INDENT
    rows = []
    for key, item in value.items() if kind is dict else ((None, item) for item in value):
        label = "" if key is None else f"{_one_line(key)}: "
        row = f"{' ' * inner}{label}{literal(item, inner, inner + len(label), 1)},"
        # A public key is one line, however long it is.
        rows.append(f"{row}  # noqa: E501" if "\n" not in row and len(row) > WIDTH else row)
    opening, closing = BRACKETS[kind]
    return "\n".join([opening, *rows, " " * indent + closing])


def _hosts(value: Any) -> bool:
    """Whether this is the list of several hosts with their data."""
    return isinstance(value, list) and len(value) > 1 and all(isinstance(item, tuple) for item in value)


def _one_line(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_one_line(key)}: {_one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_one_line, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_one_line, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def _text(value: str) -> str:
    """As the formatter has it: in double quotes, unless it holds more of them than single ones. JSON's escapes fit Python."""
    double = json.dumps(value, ensure_ascii=False)
    if value.count('"') <= value.count("'"):
        return double
    return "'" + double[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def values(text: str) -> dict[str, Any] | None:
    """The assignments of such a file; None when it holds anything but literals."""
    found = {}
    try:
        for node in ast.parse(text).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
                return None
            found[node.targets[0].id] = ast.literal_eval(node.value)
    except (SyntaxError, ValueError):
        return None
    return found
