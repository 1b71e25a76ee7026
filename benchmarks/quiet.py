"""Whether this machine, which the lab shares with other work, is idle enough for a p99 to mean something."""

from __future__ import annotations

import time
from pathlib import Path


def wait_until_quiet(busy: float, patience: float = 60) -> float:
    """Return when less than that share of the processors worked for three seconds, or at the latest after `patience`
    seconds; either way the share found last."""
    deadline = time.monotonic() + patience
    while (found := share_busy(3)) >= busy and time.monotonic() < deadline:
        continue
    return found


def share_busy(seconds: float) -> float:
    """The share of all processors' time that was not idle, from 0 to 1."""
    idle, total = _ticks()
    time.sleep(seconds)
    idle_then, total_then = _ticks()
    return round(1 - (idle_then - idle) / max(1, total_then - total), 2)


def _ticks() -> tuple[int, int]:
    """proc(5): user, nice, system, idle, iowait, irq, softirq, steal; what guests took is in user's already."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)
