"""The record of releases: who, what version, which hosts, when, how it ended. One JSON line each, kept on the edge."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass

FILE = "/var/lib/signupflow/releases/ledger.jsonl"


@dataclass(frozen=True)
class Record:
    """One release. `began` is UTC in ISO 8601; `image` the image id or reference, `schema` the Alembic revision.

    `outcome` is released, failed (and `why`) or aborted; `hosts` were switched in this order, of which `taken_back` went
    back again; `steps` is host to step to seconds; `probe` counts requests through the public entry;
    `adopted` are runs that were cut off and that this one finished.
    """

    run: str
    app: str
    version: str
    image: str
    schema: str
    owner: str
    reason: str
    began: str
    seconds: float
    outcome: str
    why: str
    hosts: tuple[str, ...]
    taken_back: tuple[str, ...]
    probe: Mapping[str, int] | None
    steps: Mapping[str, Mapping[str, float]]
    restore_point: str = ""
    adopted: tuple[str, ...] = ()

    def line(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def append_script(record: Record) -> str:
    """Append a record, once: a script that is repeated because its connection was lost adds nothing."""
    line = record.line()
    known = f"grep -qF {shlex.quote(json.dumps(record.run))} {FILE} 2>/dev/null"
    return f"mkdir -p $(dirname {FILE}); {known} || printf '%s\\n' {shlex.quote(line)} >> {FILE}\n"


def parse(text: str) -> list[Record]:
    """Records in the order they were written; lines that are none are passed over."""
    found = []
    for line in text.splitlines():
        try:
            found.append(Record(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found
