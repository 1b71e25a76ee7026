"""Which operating systems the deploys know: those whose own archive has Docker with Compose v2."""

from __future__ import annotations

OLDEST = {"debian": 13, "ubuntu": 24.04}
SUPPORTED = "Ubuntu 24.04 or Debian 13"


def supported(identifier: str, version: str) -> bool:
    """`ID` and `VERSION_ID` of /etc/os-release; newer versions are taken as they come."""
    try:
        return float(version or 0) >= OLDEST[identifier]
    except (KeyError, ValueError):
        return False
