"""Steps that interrupt a service are refused unless this run allows them by name."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator

from pyinfra import host, logger

from operations.failed import Failed, refused


def guard(service: str, why: str, allowed: Collection[str]) -> Iterator[Failed]:
    """Announce the interruption; when it is not allowed, yield a command that fails before anything changed."""
    advice = "allowed by this run" if service in allowed else f"refused unless --data allow_interrupts={service}"
    _announce(f"{host.print_prefix}INTERRUPTS {service}: {why} ({advice})")
    if service not in allowed:
        yield refused(f"INTERRUPTS {service}: {why}; {advice}")


@functools.cache
def _announce(line: str) -> None:
    """Once, although each of a run's phases asks."""
    logger.warning(line)
