"""Assignments: who serves where, asked for by administrators and answered by the person. Sign-ups are the same rows, made
by the person. The states and what may follow them: app/signups.py."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import model_validator
from sqlalchemy import select

from app import signups
from app.errors import ApiError
from app.models import Assignment, Person
from app.routes.caller import AdminCaller, AnyCaller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.shapes import Body, Identifier, Limit, LongText, Offset, Page, RowNumber, Text
from app.routes.signups import SignUpShown
from app.routes.signups import show as show_sign_up

router = APIRouter(prefix="/api/v1/assignments", tags=["assignments"])


class AssignmentWanted(Body):
    """`pending` asks the person; `confirmed` says that they have agreed already."""

    event_id: Identifier
    person_id: Identifier
    role: Text | None = None
    status: Literal["pending", "confirmed"] = "pending"


class AssignmentChange(Body):
    status: signups.State
    decline_reason: LongText | None = None

    @model_validator(mode="after")
    def _reason_only_for_declining(self) -> "AssignmentChange":
        if self.decline_reason is not None and self.status != "declined":
            raise ValueError("gives a reason for declining without declining")
        return self


class AssignmentShown(SignUpShown):
    """With the reason for declining, which is nobody's business but the person's and the administrators'."""

    decline_reason: str | None


@router.get("")
def list_assignments(
    caller: AnyCaller,
    limit: Limit = 50,
    offset: Offset = 0,
    person_id: Identifier | None = None,
    event_id: Identifier | None = None,
    status: Annotated[signups.State | None, Query()] = None,
) -> Page[AssignmentShown]:
    """One's own; administrators name another person with `person_id`."""
    if person_id not in {None, caller.person.id}:
        if not caller.is_admin:
            raise ApiError(403, "forbidden")
        found(caller.session.get(Person, person_id))
    statement = select(Assignment).where(Assignment.person_id == (person_id or caller.person.id)).order_by(Assignment.id)
    if event_id is not None:
        statement = statement.where(Assignment.event_id == event_id)
    if status is not None:
        statement = statement.where(Assignment.status == status)
    return page(caller.session, statement, show, limit, offset)


@router.post("", status_code=201)
def assign(wanted: AssignmentWanted, caller: AdminCaller) -> AssignmentShown:
    """404 without such an event or person, 409 `conflict` when they are down for it already or have left, 409 `full`."""
    person = found(caller.session.get(Person, wanted.person_id))
    assignment = signups.sign_up(caller.session, wanted.event_id, person, wanted.role, wanted.status)
    caller.session.commit()
    return show(assignment)


@router.get("/{assignment_id}")
def read(assignment_id: RowNumber, caller: AnyCaller) -> AssignmentShown:
    assignment = found(caller.session.get(Assignment, assignment_id))
    if assignment.person_id != caller.person.id and not caller.is_admin:
        raise ApiError(403, "forbidden")
    return show(assignment)


@router.patch("/{assignment_id}")
def change(assignment_id: RowNumber, wanted: AssignmentChange, caller: AnyCaller) -> AssignmentShown:
    """One's own; administrators anybody's. 409 `state_refused` or `full`."""
    assignment = signups.change_state(caller.session, assignment_id, caller.person, wanted.status, wanted.decline_reason)
    caller.session.commit()
    return show(assignment)


@router.delete("/{assignment_id}", status_code=204)
def remove(assignment_id: RowNumber, caller: AnyCaller) -> None:
    """One's own; administrators anybody's."""
    signups.cancel(caller.session, assignment_id, caller.person)
    caller.session.commit()


def show(assignment: Assignment) -> AssignmentShown:
    return AssignmentShown(**show_sign_up(assignment).model_dump(), decline_reason=assignment.decline_reason)
