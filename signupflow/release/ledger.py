"""The record of deployments: who, what, from which commit, which hosts, when, how it ended. JSON lines, kept on the edge.

Each line holds the SHA-256 of the line before it (as it stands there, its line break included), so that a record that was
altered or taken out of the middle is noticed when the history is read. Records cut off the end leave no trace here; the
copies under reports/ do.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from signupflow.release import appended

FILE = "/var/lib/signupflow/releases/ledger.jsonl"
# Stands where the host puts the digest of its last line, which only the host knows at that moment.
PREVIOUS = "@previous@"
RELEASED = "released"
ABORTED = "aborted"
INTERRUPTED = "interrupted"
# What is left of a record that was cut off after its first field.
BEGUN = re.compile(r'\{"previous":"([0-9a-f]{64})"')


@dataclass(frozen=True)
class Record:
    """One deployment. `began` is UTC in ISO 8601; `image` the image id or reference, `schema` the Alembic revision.

    `kind` is release, rollback, restart, scale, abort, upgrade, maintenance or hosts; `commit` is the app's, `deploys` this
    repository's. `outcome` is released, failed (and `why`), aborted or interrupted; `serves` is host to the version that
    its traffic was left with. `hosts` were switched in this order, of which `rolled_back` went back again; `steps` is host
    to step to seconds; `probe` counts requests through the public entry; `adopted` are runs that were cut off and that
    this one finished. `previous` is the digest of the line before.
    """

    run: str
    app: str
    version: str
    image: str
    schema: str
    deployed_by: str
    reason: str
    started_at: str
    seconds: float
    outcome: str
    failure_reason: str
    hosts: tuple[str, ...]
    rolled_back: tuple[str, ...]
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
        """As it is given to the host that keeps it, which alone knows the line before."""
        return replace(self, previous=PREVIOUS).as_json()

    def as_json(self) -> str:
        """As it stands in the ledger, for programs."""
        # The digest first, so that nothing a person wrote can stand before it.
        return json.dumps({"previous": self.previous} | asdict(self), separators=(",", ":"))


def append_script(record: Record) -> str:
    """Append a record, once: a script that is repeated because its connection was lost adds nothing.

    Only the whole line counts as there already. One that a crash cut off gets its line break, stays in the chain as it is, and
    the record follows it.
    """
    line = shlex.quote(record.line())
    as_given = f"""LC_ALL=C sed 's/^{{"previous":"[0-9a-f]*"/{{"previous":"{PREVIOUS}"/' {FILE} 2>/dev/null"""
    return (
        f"mkdir -p $(dirname {FILE})\n"
        f"{as_given} | LC_ALL=C grep -aqxF -e {line} && exit 0\n"
        f"{appended.on_a_new_line(FILE)}"
        f"previous=$(tail -n 1 {FILE} 2>/dev/null | sha256sum | cut -c 1-64)\n"
        f"printf '%s\\n' {line} | sed \"s/{PREVIOUS}/$previous/\" >> {FILE}\n"
    )


def parse(text: str) -> list[Record]:
    """Records in the order they were written; lines that are none are passed over."""
    return [record for line in appended.lines(text) if (record := _record(line)) is not None]


def torn(text: str) -> list[str]:
    """Lines that are no record, one sentence each: a host that lost its power while one was written leaves such a line.

    They cost what they would have said, and nothing else. One that was put in the place of a record is in `problems` too.
    """
    return [
        f"line {number} is no whole record; records before and after it count"
        for number, line in enumerate(appended.lines(text), 1)
        if _record(line) is None
    ]


def settled(records: Sequence[Record], run: str, host: str) -> bool:
    """Whether what a run did to a host needs nothing more: it was released, or the host went back, or was not in it.

    A run that no record names is not settled. One that finished another's rollouts names it as adopted.
    """
    found = [record for record in records if run == record.run or run in record.adopted]
    return any(record.outcome == RELEASED or host in record.rolled_back or host not in record.hosts for record in found)


def problems(text: str) -> list[str]:
    """How the chain is broken, one line for each place; empty when nothing was altered or taken out of the middle.

    A line that was cut off is no problem: the record after it holds its digest. Lines from before records were chained have
    no digest; after the first that has, every one must.
    """
    found, before, chained = [], "", False
    for number, line in enumerate(appended.lines(text), 1):
        record = _record(line)
        begun = BEGUN.match(line)
        previous = record.previous if record else begun[1] if begun else ""
        where = f"line {number}" + (f" (run {record.run})" if record else "")
        if previous and previous != digest(before):
            found.append(f"{where} does not follow the line before it: one was altered or taken out")
        elif record and chained and not previous:
            found.append(f"{where} is not chained")
        chained, before = chained or bool(previous), line
    return found


def digest(line: str) -> str:
    """Of the very bytes: what is no UTF-8 was read as surrogates (`facts.host_files.AppendedText`)."""
    return hashlib.sha256(line.encode(errors="surrogateescape")).hexdigest()


def _record(line: str) -> Record | None:
    return appended.parsed(Record, line)
