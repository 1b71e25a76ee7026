"""Saying, inside the transaction that makes it, that something changed."""

import dataclasses
import json

from sqlalchemy import func, select
from sqlalchemy.orm import Session

CHANNEL = "signupflow_changes"
# What a session without NOTIFY (SQLite) keeps until its commit; app.stream.feed takes it from there.
PENDING = "changes"


@dataclasses.dataclass(frozen=True)
class Change:
    """What changed: ids only, never a name or an address, for it passes through the database server's memory and log.

    `kind` is a word such as `signed_up`; `sign_up_id` is None when the event itself changed.
    """

    org_id: str
    event_id: str
    kind: str
    sign_up_id: int | None = None

    def encoded(self) -> str:
        """A NOTIFY payload; PostgreSQL takes less than 8000 bytes and ids are far shorter."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def decoded(cls, payload: str) -> "Change":
        """Raises ValueError for anything that `encoded` did not write, for example a newer release's payload."""
        try:
            return cls(**json.loads(payload))
        except TypeError as error:
            raise ValueError("not a change") from error


def publish(session: Session, change: Change) -> None:
    """Tells every process of `change` when `session` commits, and nobody when it does not."""
    if session.get_bind().dialect.name == "postgresql":
        # On the connection, not the session: a tenant session refuses what it cannot scope, and this reads no row.
        session.connection().execute(select(func.pg_notify(CHANNEL, change.encoded())))
    else:
        session.info.setdefault(PENDING, []).append(change)
