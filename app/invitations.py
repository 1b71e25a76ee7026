"""Invitations: who may become one of an organisation's people by a link that was sent to them.

A token is 256 random bits and is given out once. What is stored is its hash, as `sha256:<hex>`; rows from before hold the
token itself and work until they expire. Neither form can pass for the other: a token holds no colon.
"""

import datetime as dt
import hashlib
import re
import secrets
from typing import Literal

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.models import Invitation
from app.models.base import utc_now

Status = Literal["pending", "accepted", "cancelled", "expired"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    return secrets.token_urlsafe(32)


def stored(token: str) -> str:
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def usable(session: Session, token: str) -> Invitation | None:
    """The pending, unexpired invitation that `token` opens, locked until the commit; None for every other reason alike."""
    if not _TOKEN.fullmatch(token):
        return None
    return session.scalar(
        select(Invitation).where(Invitation.token.in_([stored(token), token]), of_status("pending")).with_for_update()
    )


def status_of(invitation: Invitation) -> str:
    """The stored word; `expired` for one that would be pending had its time not run out."""
    overdue = invitation.status == "pending" and invitation.expires_at <= utc_now()
    return "expired" if overdue else invitation.status


def of_status(status: Status) -> ColumnElement[bool]:
    """The same as a condition."""
    if status == "pending":
        return (Invitation.status == "pending") & (Invitation.expires_at > utc_now())
    if status == "expired":
        return (Invitation.status == "expired") | (Invitation.status == "pending") & (Invitation.expires_at <= utc_now())
    return Invitation.status == status


def expiry(days: int) -> dt.datetime:
    return utc_now() + dt.timedelta(days=days)
