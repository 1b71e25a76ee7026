"""Which packages and services a host lacks: what somebody chose for the same work stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from signupflow.hosts.system import BASE, CLOCKS, System

DEFAULT_CLOCK = "systemd-timesyncd"


def clock(system: System) -> str:
    """The package that keeps the clock: the one that is there, or systemd's."""
    return next((name for name in CLOCKS if name in system.installed), DEFAULT_CLOCK)


def base(system: System) -> tuple[str, ...]:
    """What every host has, whatever it does."""
    return tuple(sorted({*BASE, clock(system)}))


def services(system: System) -> tuple[str, ...]:
    return (CLOCKS[clock(system)], "unattended-upgrades.service")


REMOVED = re.compile(r"^Remv (\S+)")


def simulated(names: Sequence[str]) -> str:
    """A command that prints what installing would do, and does nothing; without words where the lists know a package not."""
    return f"{{ LC_ALL=C apt-get -s install -y --no-install-recommends {' '.join(names)} 2>/dev/null || true; }}"


def removed(lines: Iterable[str]) -> tuple[str, ...]:
    """Packages that `apt-get -s` would remove."""
    return tuple(found[1] for line in lines if (found := REMOVED.match(line)))


def removal_problem(names: Sequence[str], gone: Sequence[str]) -> str:
    """Why these are not installed by themselves."""
    return f"installing {', '.join(names)} would remove {', '.join(gone)}: remove that first, if it may go, or use another host"
