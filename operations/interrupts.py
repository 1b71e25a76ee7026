"""Steps that interrupt a service are refused unless this run allows them by name."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator

from pyinfra import host, logger, state
from pyinfra.api import QuoteString, StringCommand

from operations import refusals
from operations import run as runs


def guard(service: str, why: str, allowed: Collection[str]) -> Iterator[StringCommand]:
    """Announce the interruption; when it is not allowed, yield a command that fails before anything changed."""
    advice = "allowed by this run" if service in allowed else f"refused unless --data allow_interrupts={service}"
    _announce(f"{host.print_prefix}INTERRUPTS {service}: {why} ({advice})")
    if service not in allowed:
        said = f"INTERRUPTS {service}: {why}; {advice}"
        refusals.note(said)
        if state.is_executing:
            runs.current().fail(f"{host.name}: {said}")
        yield StringCommand("echo", QuoteString(said), ">&2; exit 1")


@functools.cache
def _announce(line: str) -> None:
    """Once, although each of a run's phases asks."""
    logger.warning(line)
