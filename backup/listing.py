"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from backup import replaced
from backup.archive import Store
from backup.bucket import OK, Finding
from backup.configuration import place
from backup.records import Record
from backup.replaced import Note
from signupflow.shared import humanize
from signupflow.shared.dump_objects import Dump


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text; numbers are as wide as they are."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


Interval = tuple[datetime, datetime]


def unrestorable(notes: Sequence[Note]) -> list[Interval]:
    """Times that no restore leads to, because one went back behind them; each moment in one interval, the oldest first."""
    found: list[Interval] = []
    for since, until in sorted(note.interval for note in notes):
        if found and since < found[-1][1]:
            found[-1] = (found[-1][0], max(until, found[-1][1]))
        elif since < until:
            found.append((since, until))
    return found


def table(store: Store, dumps: Sequence[Dump], notes: Sequence[Note] = ()) -> str:
    """All backups, the newest last, and what one can go back to."""
    rows = [
        [
            copy.label,
            place(copy.repository),
            humanize.moment(copy.stopped),
            humanize.size(copy.size),
            humanize.size(copy.stored),
            humanize.span(copy.seconds),
        ]
        for copy in store.copies
    ]
    rows += [
        [
            f"{dump.kind} dump",
            "object storage",
            humanize.moment(dump.made),
            "",
            humanize.size(dump.size),
            "" if dump.proven else "NOT PROVEN",
        ]
        for dump in dumps
    ]
    if not rows:
        return "There is no backup yet; `systemctl start signupflow-backup` makes one."
    text = columns(("backup", "where", "ended", "database", "stored", "took"), rows)
    if store.copies:
        first = store.copies[0].stopped
        holes = [
            f"between {humanize.moment(since)} and {humanize.moment(until)}"
            for since, until in unrestorable(notes)
            if until > first
        ]
        but = f", but for those {', '.join(holes)}, which a restore went back behind" if holes else ""
        text += f"\n\nAny second since {humanize.moment(first)} can be restored{but}: signupflow-restore --point-in-time"
        if left := [replaced.shown(note) for note in notes if note.left_out_anything]:
            text += "\n" + "\n".join(f"Replaced by a restore, {line}" for line in left)
    return text


def as_json(store: Store, dumps: Sequence[Dump], notes: Sequence[Note] = ()) -> str:
    return json.dumps(
        {
            "backups": [
                {
                    "label": copy.label,
                    "repository": copy.repository,
                    "where": place(copy.repository),
                    "started": copy.started.isoformat(),
                    "ended": copy.stopped.isoformat(),
                    "database_bytes": copy.size,
                    "stored_bytes": copy.stored,
                }
                for copy in store.copies
            ],
            "dumps": [
                {"kind": dump.kind, "key": dump.key, "made": dump.made.isoformat(), "bytes": dump.size, "proven": dump.proven}
                for dump in dumps
            ],
            "unrestorable": [{"since": since.isoformat(), "until": until.isoformat()} for since, until in unrestorable(notes)],
            "replaced": [
                {"since": note.interval[0].isoformat(), "until": note.interval[1].isoformat(), "kept": note.kept}
                for note in notes
                if note.left_out_anything
            ],
        },
        indent=2,
    )


def findings(found: Sequence[Finding]) -> str:
    return columns(
        ("what", "", "found", "what to do"),
        [(item.what, item.verdict, item.found, item.remedy if item.verdict != OK else "") for item in found],
    )


def attempts(found: Sequence[tuple[str, Record | None, Record | None]]) -> str:
    rows = []
    for kind, last, good in found:
        if last is None:
            rows.append((kind, "never", "", ""))
            continue
        ended = "good" if last.good else f"exit {last.exit_code}" if last.ended else "not ended"
        rows.append(
            (kind, f"{humanize.moment(last.started)}, {ended}", humanize.moment(good.ended) if good else "never", last.message)
        )
    return columns(("work", "last attempt", "last good", "message"), rows)
