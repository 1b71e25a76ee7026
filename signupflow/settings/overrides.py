"""`--data NAME=VALUE` of one run, read by the type that the setting has.

pyinfra reads every value as JSON before anybody knows what it is for: `1.10` becomes the number 1.1, `007` becomes 7. A setting
that is text gets what was typed, byte for byte; numbers, switches and lists are read as pyinfra reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from signupflow.errors import OperatorError
from signupflow.settings.forms import bare


def pairs(items: Iterable[str]) -> dict[str, str]:
    """Name to what was typed; of a name that was given twice, the last."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise OperatorError(f"--data {item} has no {'value' if name else 'name'}; write --data NAME=VALUE")
        found[name] = value
    return found


def read(items: Iterable[str], types: Mapping[str, Any]) -> dict[str, Any]:
    """Name to value. `types` is each setting's annotation; what is no setting stays text, for whoever refuses it."""
    return {name: value(text, types.get(name, str)) for name, text in pairs(items).items()}


def value(text: str, annotation: Any) -> Any:
    """What was typed, as a setting of this type reads it; what cannot be read stays text, which the setting then refuses."""
    kind = bare(annotation)
    if is_text(kind):
        return text
    if get_origin(kind) in (tuple, list, dict):
        # Numbers inside a list of texts are text as well: ["sleep", 1.10] is not ["sleep", 1.1].
        number = {"parse_int": str, "parse_float": str, "parse_constant": str} if is_text(bare(_leaf(kind))) else {}
        return _json(text, **number)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        return _json(text)


def is_text(kind: Any) -> bool:
    """Whether values of a type are text: `str`, or a choice of texts."""
    return kind is str or (get_origin(kind) is Literal and all(isinstance(choice, str) for choice in get_args(kind)))


def _leaf(kind: Any) -> Any:
    """What a list holds; what a mapping's keys lead to."""
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return arguments[-1]


def _json(text: str, **numbers: Any) -> Any:
    try:
        return json.loads(text, **numbers)
    except (ValueError, RecursionError):
        return text
