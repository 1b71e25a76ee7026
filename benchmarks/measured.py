"""One row for each way to roll, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Measured:
    """What a roll cost. `statuses` counts HTTP codes and error classes of all that was sent.

    `seconds`: from the start of the roll until the last old container's process ended. `p99_before_ms`: of requests sent
    before the roll; `p99_switch_ms`: of those sent from its start until one second after the last old container ended.
    Of a request that is slow on purpose, only what it took beyond that counts.
    """

    way: str
    sent: int
    failed: int
    statuses: dict[str, int]
    seconds: float
    p99_before_ms: float
    p99_switch_ms: float
    note: str = ""


def table(rows: Iterable[Measured]) -> Table:
    found = Table(title="Rolling a new version under load", title_justify="left")
    found.add_column("way", overflow="fold")
    for column in ("failed", "sent", "seconds", "p99 ms before", "p99 ms switching"):
        found.add_column(column, justify="right")
    found.add_column("note")
    for row in rows:
        failed = f"[{'red' if row.failed else 'green'}]{row.failed}[/]"
        numbers = (f"{row.seconds:.1f}", f"{row.p99_before_ms:.0f}", f"{row.p99_switch_ms:.0f}")
        found.add_row(row.way, failed, str(row.sent), *numbers, row.note)
    return found
