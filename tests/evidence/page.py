"""docs/EVIDENCE.md: every promise, what was measured, and whether it still says something about the code as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tests.evidence.promises import PROMISES, Promise
from tests.evidence.record import ROOT, Record, read
from tests.evidence.staleness import stale

PAGE = ROOT / "docs" / "EVIDENCE.md"
HEAD = """<!-- Made by `make evidence` from docs/evidence/*.json. Do not edit. -->
# Evidence

Each promise with a figure, measured on lab hosts on the machine that its JSON names. `make prove LINE=rollback` measures one
again, `make prove LINE="order plan"` several, `make prove` all of them ({hours:.1f} hours). Each writes its JSON, held or not.
The minutes are what a line took when it was measured last; whichever is first in a run takes some three more to make its lab.

**Stale** means that something the line depends on was committed since, or that the commit it was measured at is unknown: the
figure was true, and nobody has looked since. It is as of the commit at which this page was made; `scripts/evidence.py --stale`
says it for the present one.

{held} of {all} held, {not_held} did not, {never} were never measured.

| Line | Promise | Goal | Measured | Held | Date | Commit | Stale | Minutes |
|---|---|---|---|---|---|---|---|---|
"""
# What changes with every commit, although nothing was measured.
STALE_COLUMN = 8


def text(is_stale: Callable[[Record], str] = stale) -> str:
    records = [(promise, read(promise.line)) for promise in PROMISES]
    there = [record for _, record in records if record]
    head = HEAD.format(
        hours=sum(record.seconds for record in there) / 3600,
        held=sum(record.held for record in there),
        not_held=sum(not record.held for record in there),
        never=len(records) - len(there),
        all=len(records),
    )
    return (
        head + "".join(f"| {' | '.join(_row(promise, record, is_stale))} |\n" for promise, record in records) + _not_held(there)
    )


def _row(promise: Promise, record: Record | None, is_stale: Callable[[Record], str]) -> list[str]:
    if record is None:
        return [promise.line, _cell(promise.promise), _cell(promise.goal), "", "never measured", "", "", "", ""]
    return [
        f"[{promise.line}](evidence/{promise.line}.json)",
        _cell(promise.promise),
        _cell(promise.goal),
        _cell(record.figure),
        "yes" if record.held else "**no**",
        record.date[:10],
        f"`{record.commit}`" + (" (modified)" if record.dirty else ""),
        "stale" if is_stale(record) else "",
        f"{record.seconds / 60:.1f}",
    ]


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


def _not_held(records: list[Record]) -> str:
    rows = [f"- **{record.line}**: {_cell(record.figure)}. Goal: {record.goal}.\n" for record in records if not record.held]
    return "\n## What did not hold\n\n" + "".join(rows) if rows else ""


def without_staleness(page: str) -> list[str]:
    """The page's lines without the column that depends on HEAD."""
    return [_without(line) for line in page.splitlines()]


def _without(line: str) -> str:
    # A cell ends at a bar that nothing escapes.
    cells = re.split(r"(?<!\\)\|", line)
    return "|".join(cells[:STALE_COLUMN] + cells[STALE_COLUMN + 1 :]) if len(cells) > STALE_COLUMN else line


def stale_lines() -> Iterator[tuple[str, str]]:
    """Lines whose code changed since they were proven, and what is known of that."""
    for promise in PROMISES:
        if (record := read(promise.line)) and (why := stale(record)):
            yield promise.line, why


def current() -> bool:
    """Whether the page says what the JSON says. What is stale is as of another commit, and is not compared."""
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return without_staleness(there) == without_staleness(text(lambda _: ""))
