"""Sign-ups: volunteers putting themselves down for an event (rows of `assignments`)."""

import datetime as dt

from fastapi import APIRouter
from sqlalchemy import select

from app import signups
from app.models import Assignment, Event
from app.routes.caller import AnyCaller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.shapes import Body, Limit, Offset, Page, RowNumber, Text, as_utc

router = APIRouter(prefix="/api/v1/events/{event_id}/sign-ups", tags=["sign-ups"])


class SignUpWanted(Body):
    role: Text | None = None


class SignUpShown(Body):
    id: int
    event_id: str
    person_id: str
    role: str | None
    status: str
    assigned_at: dt.datetime | None


@router.get("")
def list_sign_ups(event_id: str, caller: AnyCaller, limit: Limit = 50, offset: Offset = 0) -> Page[SignUpShown]:
    event = found(caller.session.get(Event, event_id))
    statement = select(Assignment).where(Assignment.event_id == event.id).order_by(Assignment.id)
    return page(caller.session, statement, show, limit, offset)


@router.post("", status_code=201)
def sign_up(event_id: str, wanted: SignUpWanted, caller: AnyCaller) -> SignUpShown:
    """Oneself. 409 `conflict`: already there; 409 `full`: the role has no place left."""
    assignment = signups.sign_up(caller.session, event_id, caller.person, wanted.role)
    caller.session.commit()
    return show(assignment)


@router.delete("/{sign_up_id}", status_code=204)
def cancel(event_id: str, sign_up_id: RowNumber, caller: AnyCaller) -> None:
    """One's own; administrators anybody's."""
    signups.cancel(caller.session, sign_up_id, caller.person, event_id)
    caller.session.commit()


def show(assignment: Assignment) -> SignUpShown:
    return SignUpShown(
        id=assignment.id,
        event_id=assignment.event_id,
        person_id=assignment.person_id,
        role=assignment.role,
        status=assignment.status,
        assigned_at=as_utc(assignment.assigned_at),
    )
