"""One host's data from the levels at which it is given: for every host, for its groups, for itself, for this run.

The later level wins. A setting that is merged (`forms.MERGED`) keeps the keys of earlier levels that a later one does not name;
a key that a later level sets to None is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any


def combined(levels: Sequence[Mapping[str, Any]], merged: Collection[str]) -> dict[str, Any]:
    """All levels as one, the first the weakest; `merged` are the settings that are merged by key."""
    found: dict[str, Any] = {}
    for level in levels:
        for name, value in level.items():
            before = found.get(name)
            if name in merged and isinstance(before, Mapping) and isinstance(value, Mapping):
                found[name] = {**before, **value}
            else:
                found[name] = value
    return {name: _without_none(value) if name in merged else value for name, value in found.items()}


def _without_none(value: Any) -> Any:
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, Mapping) else value
