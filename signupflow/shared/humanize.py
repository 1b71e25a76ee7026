"""Sizes, durations and moments as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def size(count: float) -> str:
    """Bytes in the largest unit that leaves a whole part: 812 MB, 4.2 GB (units of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def span(seconds: float) -> str:
    """A duration: 4 s, 3 min, 5 h, 12 days."""
    for limit, unit, length in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def last_backup(good: str, active: str, now: float) -> str:
    """One line from the host's files: `backup-good.json` and `alerts.json`, either of which may not be there yet."""
    try:
        record = json.loads(good)
        text = f"{span(now - record['ended'])} ago, {record['message']}"
    except (ValueError, KeyError, TypeError):
        text = "none yet"
    try:
        alerts = sorted(json.loads(active))
    except (ValueError, TypeError):
        alerts = []
    return text + (f"; ALERTS: {', '.join(alerts)}" if alerts else "")


def moment(stamp: float | datetime) -> str:
    """A moment in UTC, to the second."""
    found = stamp if isinstance(stamp, datetime) else datetime.fromtimestamp(stamp, UTC)
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
