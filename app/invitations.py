"""Invitations: who may become one of an organisation's people by a link that was sent to them.

A token is 256 random bits and is given out once. What is stored is its hash, as `sha256:<hex>`; rows from before hold the
token itself and work until they expire. Neither form can pass for the other: a token holds no colon.
"""

import datetime as dt
import hashlib
import re
import secrets
from typing import Literal

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app.models import Invitation, Person
from app.models.base import utc_now
from app.roles import ADMIN, is_admin

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
    invitation = session.scalar(
        select(Invitation).where(Invitation.token.in_([stored(token), token]), of_status("pending")).with_for_update()
    )
    return invitation if invitation is not None and _stands(session, invitation) else None


def _stands(session: Session, invitation: Invitation) -> bool:
    """Whether who sent it may still give what it gives. Asked when it is used, whatever was cancelled before: an invitation
    may be sent in the moment in which its sender's access ends, and older versions cancelled none."""
    sender = session.get(Person, invitation.invited_by)
    return sender is not None and sender.status == "active" and (not _makes_admin(invitation) or is_admin(sender))


def withdraw(session: Session, person: Person) -> None:
    """Cancel what is pending of what a person may no longer give or be given; nothing of an active administrator."""
    left = person.status != "active"
    if not left and is_admin(person):
        return
    theirs = [Invitation.invited_by == person.id]
    if left and person.email:
        theirs.append(func.lower(Invitation.email) == person.email.lower())
    for invitation in session.scalars(select(Invitation).where(of_status("pending"), or_(*theirs)).with_for_update()):
        if left or _makes_admin(invitation):
            invitation.status = "cancelled"


def _makes_admin(invitation: Invitation) -> bool:
    return isinstance(invitation.roles, list) and ADMIN in invitation.roles


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
