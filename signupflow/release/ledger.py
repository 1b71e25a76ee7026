"""The record of deployments: who, what, from which commit, which hosts, when, how it ended. JSON lines, kept on the edge.

Each line holds the SHA-256 of the line before it (as it stands there, its line break included), so that a record that was
altered or taken out of the middle is noticed when the history is read. Records cut off the end leave no trace here; the
copies under reports/ do.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

FILE = "/var/lib/signupflow/releases/ledger.jsonl"
# Stands where the host puts the digest of its last line, which only the host knows at that moment.
PREVIOUS = "@previous@"
RELEASED = "released"


@dataclass(frozen=True)
class Record:
    """One deployment. `began` is UTC in ISO 8601; `image` the image id or reference, `schema` the Alembic revision.

    `kind` is release, rollback, restart, scale, abort, upgrade, maintenance or hosts; `commit` is the app's, `deploys` this
    repository's. `outcome` is released, failed (and `why`), aborted or interrupted; `serves` is host to the version that
    its traffic was left with. `hosts` were switched in this order, of which `taken_back` went back again; `steps` is host
    to step to seconds; `probe` counts requests through the public entry; `adopted` are runs that were cut off and that
    this one finished. `previous` is the digest of the line before.
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
    probe: Mapping[str, float] | None
    steps: Mapping[str, Mapping[str, float]]
    restore_point: str = ""
    adopted: tuple[str, ...] = ()
    kind: str = "release"
    commit: str = ""
    deploys: str = ""
    serves: Mapping[str, str] = field(default_factory=dict)
    previous: str = ""

    def line(self) -> str:
        # First, so that nothing a person wrote can stand before it.
        return json.dumps({"previous": PREVIOUS} | {**asdict(self), "previous": PREVIOUS}, separators=(",", ":"))


def append_script(record: Record) -> str:
    """Append a record, once: a script that is repeated because its connection was lost adds nothing.

    A last line that a crash cut off in the middle gets its line break first, and stays in the chain as it is.
    """
    line = record.line()
    known = f"grep -qF {shlex.quote(json.dumps(record.run))} {FILE} 2>/dev/null"
    return (
        f"mkdir -p $(dirname {FILE})\n{known} && exit 0\n"
        f'test -z "$(tail -c 1 {FILE} 2>/dev/null)" || echo >> {FILE}\n'
        f"previous=$(tail -n 1 {FILE} 2>/dev/null | sha256sum | cut -c 1-64)\n"
        f"printf '%s\\n' {shlex.quote(line)} | sed \"s/{PREVIOUS}/$previous/\" >> {FILE}\n"
    )


def parse(text: str) -> list[Record]:
    """Records in the order they were written; lines that are none are passed over."""
    return [record for line in text.splitlines() if (record := _record(line)) is not None]


def settled(records: Sequence[Record], run: str, host: str) -> bool:
    """Whether what a run did to a host needs nothing more: it was released, or the host went back, or was not in it.

    A run that no record names is not settled. One that finished another's rollouts names it as adopted.
    """
    found = [record for record in records if run == record.run or run in record.adopted]
    return any(record.outcome == RELEASED or host in record.taken_back or host not in record.hosts for record in found)


def problems(text: str) -> list[str]:
    """How the chain is broken, one line for each place; empty when nothing was altered or taken out of the middle.

    Lines from before records were chained have no digest; after the first that has, every one must.
    """
    found, before, chained = [], "", False
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        record = _record(line)
        if record is None:
            found.append(f"line {number} is no record")
        elif record.previous:
            chained = True
            if record.previous != digest(before):
                found.append(f"line {number} (run {record.run}) does not follow the line before it: one was altered or taken out")
        elif chained:
            found.append(f"line {number} (run {record.run}) is not chained")
        before = line
    return found


def digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _record(line: str) -> Record | None:
    try:
        return Record(**json.loads(line))
    except (ValueError, TypeError):
        return None
