"""What is said of a host, at every level: group_data/all.py, its groups, the inventory's line, and this run's `--data`.

pyinfra's `host.data` cannot serve: of two levels that name a setting it gives the later one whole, and it has read the values of
`--data` as JSON, so that a version 1.10 has become 1.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyinfra.api import Host, Inventory

from signupflow import settings
from signupflow.errors import OperatorError

# `--data` as it was typed; None until config.py has read it.
_typed: list[tuple[str, ...] | None] = [None]


def remember(items: Iterable[str]) -> None:
    """`--data` of this run, each NAME=VALUE as it was typed. config.py does this: in deploys the command line is out of reach."""
    _typed[:] = [tuple(items)]


def host_data(item: Host, inventory: Inventory) -> dict[str, Any]:
    """A host's settings, and what belongs to its connector."""
    overridden = inventory.get_override_data()
    typed = _typed[0]
    if typed is None:
        lost = sorted(name for name in overridden if not settings.foreign(name))
        if lost:
            raise OperatorError(f"--data {lost[0]} cannot be read as it was typed: config.py was not run; leave --config out")
        typed = ()
    groups = [inventory.get_group_data(group) for group in item.groups]
    connector = {name: value for name, value in overridden.items() if settings.foreign(name)}
    return settings.of_levels([inventory.get_data(), *groups, inventory.get_host_data(item.name), connector], typed)
