"""How full the data mount is."""

import math
import os
from pathlib import Path


def used_percent(directory: Path) -> int:
    """Whole percent, rounded up, as `df` counts: of what unprivileged processes can use. Raises OSError."""
    stat = os.statvfs(directory)
    used = stat.f_blocks - stat.f_bfree
    usable = used + stat.f_bavail
    return math.ceil(100 * used / usable) if usable else 0
