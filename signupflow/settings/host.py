"""What every host has, whatever its role."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from signupflow.settings.forms import Size, Topic

# How one gets in and what the edge is there for: a firewall without them would lock everybody out.
NEEDED_PORTS = {22, 80, 443}
MIRROR = re.compile(r"^https?://[^\s/]+/?$")


def _ports(ports: tuple[int, ...]) -> tuple[int, ...]:
    missing = sorted(NEEDED_PORTS - set(ports))
    if missing:
        raise ValueError(f"must hold 22, 80 and 443 (missing {', '.join(map(str, missing))})")
    return ports


def _mirrors(mirrors: tuple[str, ...]) -> tuple[str, ...]:
    for mirror in mirrors:
        if not MIRROR.fullmatch(mirror):
            raise ValueError(f"{mirror!r} is not the URL of a registry mirror")
    return mirrors


class EveryHost(Topic):
    """Every host"""

    public_tcp_ports: Annotated[tuple[int, ...], AfterValidator(_ports)] = Field(
        default=(22, 80, 443), description="All that answers from outside."
    )
    registry_mirrors: Annotated[tuple[str, ...], AfterValidator(_mirrors)] = Field(
        default=(), description="Docker's registry-mirrors."
    )
    journal_max_use: Size = Field(default="2g", description="Disk that journald may use.")
    journal_retention_days: int = Field(default=30, ge=1, description="Age at which journald drops entries, in days.")
