"""What a run found and did, as JSON for machines and as tables for people."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlite_import.findings import Findings

FORMAT = 1
# Findings that a terminal gets to see; the file has all of them.
SHOWN = 25
# Keys of rows put aside that the report names for each table.
KEYS = 1000
# A run takes about so many times as long as its dry run (docs/evidence/import-speed.json: the parts after reading, to the whole).
WHOLE = 2.0
OUTCOMES = {
    "migrated": "every row is in PostgreSQL, and was compared there",
    "equal": "every row of the file is in PostgreSQL as it is in the file",
    "would-migrate": "nothing stands in the way; nothing was written",
    "refused": "the file was refused; nothing was written",
    "unready": "the target cannot take it; nothing was written",
    "failed": "the load did not come to its end; the target is as before",
    "unknown": "the connection was lost while committing; --verify-only tells whether the rows are there",
    "different": "the two differ",
}


@dataclass
class Report:
    """Times are seconds, sizes bytes, digests SHA-256 of a table's rows as binary COPY in the order of its key."""

    source: dict[str, Any]
    target: dict[str, Any] = field(default_factory=dict)
    outcome: str = "refused"
    decisions: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    sequences: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    # Of a dry run only: about how long the run itself will take.
    expected_seconds: float | None = None
    peak_memory: int = 0
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)

    def write(self, path: Path, findings: Findings | None) -> None:
        """The whole report, all findings in it, in place of an older one; readable by its owner only."""
        partial = path.with_name(path.name + ".partial")
        head = json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(head.removesuffix("\n}") + ',\n  "findings": [')
            for number, finding in enumerate(findings or ()):
                file.write((",\n    " if number else "\n    ") + json.dumps(asdict(finding), ensure_ascii=False))
            file.write("\n  ]\n}\n" if findings else "]\n}\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def as_table(rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()) -> list[str]:
    """Rows as aligned lines, the first one the head; columns in `right` are numbers."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def show_findings(findings: Findings, say: Callable[[str], None]) -> None:
    """The first findings, then how many of each class there are and what to do about them."""
    rows = [("where", "value", "why")]
    advice: dict[str, str] = {}
    for finding in findings:
        advice.setdefault(finding.code, finding.advice)
        if len(rows) <= SHOWN:
            rows.append((finding.place, finding.value or "", finding.reason))
    for line in as_table(rows):
        say(line)
    if len(findings) > SHOWN:
        say(f"... and {len(findings) - SHOWN:,} more; --report FILE.json has all of them")
    say("")
    counts: Counter[str] = findings.counts
    for line in as_table(
        [("class", "rows", "what to do"), *((code, f"{count:,}", advice[code]) for code, count in counts.most_common())], (1,)
    ):
        say(line)


def show_tables(report: Report, say: Callable[[str], None]) -> None:
    rows = [("table", "rows", "digest", "")]
    for name, table in report.tables.items():
        equal = {True: "equal", False: "DIFFERENT", None: ""}[table.get("equal")]
        rows.append((name, f"{table['rows']:,}", table["digest"][:12], equal))
    for line in as_table(rows, (1,)):
        say(line)
