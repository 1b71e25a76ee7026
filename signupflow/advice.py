"""Commands that messages name, safe to type as they stand: of the environment that the message is about, and of no other."""

from __future__ import annotations

import shlex

# The inventory that `signupflow` takes when none is named.
DEFAULT = "inventory.py"
_inventory = [DEFAULT]


def of(inventory: str) -> None:
    """Whose commands are named from here on: the inventory of this run, as it was typed."""
    _inventory[:] = [inventory]


def command(words: str) -> str:
    """`signupflow WORDS`, with the inventory where it is not the default."""
    (inventory,) = _inventory
    return f"signupflow {'' if inventory == DEFAULT else f'-i {shlex.quote(inventory)} '}{words}"
