"""All the other ways, one after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from benchmarks import by_compose, by_swarm
from benchmarks.host import Bench
from benchmarks.measured import Measured
from benchmarks.quiet import wait_until_quiet

QUIET = 0.3

Tell = Callable[[Measured], object]


def others(bench: Bench, tell: Tell = lambda row: None) -> list[Measured]:
    """A row for each; `tell` hears of each as it is measured. Takes about five minutes, more on a machine that is busy."""
    rows = [_measured(partial(by_compose.roll, bench, way), tell) for way in by_compose.WAYS]
    return [*rows, swarm_at_its_best(bench, "", tell), swarm_at_its_best(bench, by_swarm.OFTEN, tell)]


def swarm_at_its_best(bench: Bench, health: str, tell: Tell = lambda row: None) -> Measured:
    """One task at a time and both at once; what lost less is kept, the faster one when both lost the same."""
    found = [_measured(partial(by_swarm.roll, bench, tasks, health), tell) for tasks in (1, 2)]
    best, other = sorted(found, key=lambda row: (row.failed, row.seconds))
    return dataclasses.replace(best, note=f"{best.note}; {other.note}: {other.failed} failed, {other.seconds:.1f} s")


def _measured(roll: Callable[[], Measured], tell: Tell) -> Measured:
    busy = wait_until_quiet(QUIET)
    row = roll()
    if busy >= QUIET:
        row = dataclasses.replace(row, note=f"{row.note}; other work took {busy:.0%} of the machine".lstrip("; "))
    tell(row)
    return row
