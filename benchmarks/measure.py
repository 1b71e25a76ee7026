"""A roll under load, by whatever way: the same load, the same clock, the same row."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterable

from benchmarks.measured import Measured
from benchmarks.traffic import Sent, Target, Timed, Traffic, mixed
from lab.waiting import wait_for

WARM_UP_SECONDS, TAIL_SECONDS = 2.0, 1.0


def measure(
    way: str,
    target: Target,
    start: Callable[[], object],
    old_gone: Callable[[], float | None],
    *,
    calls: Callable[[int], Timed] = mixed,
    rate: float = 200,
    before: float = 10,
    least: float = 32,
    patience: float = 180,
    note: str = "",
) -> Measured:
    """Send load, then `start()` the roll, which returns at its end, and wait for the last old container to be gone.

    `old_gone()` is the Unix time at which it ended, None until then (`Old.gone`). Seconds: the load runs `before` the roll
    and `least` in all, and 3 after the end; old containers that are still there `patience` after the roll are an error.
    """
    with Traffic(target, calls, rate) as traffic:
        first = time.time()
        time.sleep(before)
        began = time.time()
        start()
        ended = _wait(old_gone, patience)
        time.sleep(max(3 * TAIL_SECONDS, first + least - time.time()))
    return Measured(
        way=way,
        sent=len(traffic.sent),
        failed=sum(not request.status.startswith("2") for request in traffic.sent),
        statuses=dict(collections.Counter(request.status for request in traffic.sent)),
        seconds=round(ended - began, 2),
        p99_before_ms=p99(traffic.sent, first + WARM_UP_SECONDS, began),
        p99_switch_ms=p99(traffic.sent, began, ended + TAIL_SECONDS),
        note=note,
    )


def p99(requests: Iterable[Sent], since: float, until: float) -> float:
    """Of requests sent in that time, milliseconds."""
    times = sorted(request.ms for request in requests if since <= request.at < until)
    return round(times[int(len(times) * 0.99)], 1) if times else 0.0


def _wait(old_gone: Callable[[], float | None], patience: float) -> float:
    ended = wait_for(old_gone, patience, "old containers still run after the roll", every=0.02)
    assert ended
    return ended
