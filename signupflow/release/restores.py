"""Restores of the database, as the history of deployments tells of them.

The database's host keeps them (`backup.records`): a restore is run there, where the ledger is out of reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from signupflow.release import appended
from signupflow.release.ledger import Record

KIND, RESTORED = "restore", "restored"
FILE = "restores.jsonl"


@dataclass(frozen=True)
class _Kept:
    """One restore that came to an end. Times are seconds since 1970."""

    started: float
    ended: float
    exit_code: int
    message: str

    @property
    def whole(self) -> bool:
        return all(isinstance(number, int | float) for number in (self.started, self.ended, self.exit_code))


def parse(text: str, app: str, host: str) -> list[Record]:
    """In the order they ended; lines that are none are passed over."""
    kept = [found for line in appended.lines(text) if (found := appended.parsed(_Kept, line)) and found.whole]
    return [
        Record(
            run="",
            app=app,
            version="",
            image="",
            schema="",
            deployed_by="",
            reason="",
            started_at=datetime.fromtimestamp(one.started, UTC).isoformat(timespec="seconds"),
            seconds=round(one.ended - one.started, 1),
            outcome=RESTORED if one.exit_code == 0 else "failed",
            failure_reason=one.message,
            hosts=(host,),
            rolled_back=(),
            probe=None,
            steps={},
            kind=KIND,
        )
        for one in kept
    ]


def among(records: Sequence[Record], restores: Sequence[Record]) -> list[Record]:
    """Both in the order in which they began; what the ledger has stays in its order."""
    found = list(records)
    for restore in restores:
        later = [number for number, record in enumerate(found) if record.started_at > restore.started_at]
        found.insert(later[0] if later else len(found), restore)
    return found
