"""Who serves at an event: every write to `assignments`, for the API and the page alike.

Each function works inside the caller's session and flushes; the caller commits. All lock the event's row first, so that
"once a person", "no more than the role's places" and the state table hold for two requests at the same moment (no
constraint in the schema says them). A refusal is an ApiError, whose code both can show.

A place is kept in one of four states. Taking somebody off an event (`cancel`) removes the row, from any state.

    state            may become
    pending          confirmed, declined                   asked by an administrator, not answered yet
    confirmed        declined, swap_requested              will come
    swap_requested   confirmed, declined                   will come, but would like somebody else to
    declined         confirmed, pending                    will not come; holds no place, and takes one again when there is one

Oneself or an administrator may change a state, but only administrators ask (-> pending). The states are those of the
existing rows, and `pending`.
"""

from typing import Any, Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import ApiError, not_found
from app.models import Assignment, Event, Person
from app.roles import is_admin
from app.stream.publish import Change, publish

State = Literal["pending", "confirmed", "swap_requested", "declined"]
Kind = Literal["signed_up", "changed", "cancelled"]

MAY_BECOME: dict[str, frozenset[State]] = {
    "pending": frozenset({"confirmed", "declined"}),
    "confirmed": frozenset({"declined", "swap_requested"}),
    "swap_requested": frozenset({"confirmed", "declined"}),
    "declined": frozenset({"confirmed", "pending"}),
}
HOLDS_A_PLACE = frozenset(get_args(State)) - {"declined"}


def sign_up(session: Session, event_id: str, person: Person, role: str | None = None, state: State = "confirmed") -> Assignment:
    """Puts `person` down for the event. 404 without such an event, 409 `conflict` when they are down for it already or
    have left the organisation, 409 `full` when the role has no place left."""
    event = _locked(session, event_id)
    theirs = select(Assignment.id).where(Assignment.event_id == event.id, Assignment.person_id == person.id)
    if person.status != "active" or session.scalar(theirs.limit(1)):
        raise ApiError(409, "conflict")
    assignment = Assignment(event_id=event.id, person_id=person.id, role=role, status=state)
    if state in HOLDS_A_PLACE:
        _refuse_full(session, event, role)
    session.add(assignment)
    _written(session, event, assignment, "signed_up")
    return assignment


def change_state(session: Session, assignment_id: int, by: Person, state: State, decline_reason: str | None = None) -> Assignment:
    """403 for somebody else's, 409 `state_refused` when the table above does not allow it, 409 `full` as in sign_up."""
    assignment, event = _locked_assignment(session, assignment_id)
    if assignment.person_id != by.id and not is_admin(by):
        raise ApiError(403, "forbidden")
    if state == "pending" and not is_admin(by):
        raise ApiError(403, "forbidden")
    if state not in MAY_BECOME.get(assignment.status, frozenset()):
        raise ApiError(409, "state_refused")
    if state in HOLDS_A_PLACE and assignment.status not in HOLDS_A_PLACE:
        _refuse_full(session, event, assignment.role)
    assignment.status = state
    assignment.decline_reason = decline_reason if state == "declined" else None
    _written(session, event, assignment, "changed")
    return assignment


def cancel(session: Session, assignment_id: int, by: Person, event_id: str | None = None) -> None:
    """Takes somebody off their event. 403 for somebody else's, 404 when it is not `event_id`'s (when that is given)."""
    assignment, event = _locked_assignment(session, assignment_id)
    if event_id not in {None, event.id}:
        raise not_found()
    if assignment.person_id != by.id and not is_admin(by):
        raise ApiError(403, "forbidden")
    session.delete(assignment)
    _written(session, event, assignment, "cancelled")


def role_counts(event: Event) -> dict[str, int]:
    """Places by role, from the event's details; a role that is not named has no limit. Old rows hold anything."""
    details: Any = event.extra_data if isinstance(event.extra_data, dict) else {}
    counts = details.get("role_counts")
    if not isinstance(counts, dict):
        return {}
    return {role: count for role, count in counts.items() if type(count) is int and count >= 0}


def _refuse_full(session: Session, event: Event, role: str | None) -> None:
    places = role_counts(event).get(role) if role is not None else None
    if places is None:
        return
    taken = select(func.count(Assignment.id)).where(
        Assignment.event_id == event.id, Assignment.role == role, Assignment.status.in_(HOLDS_A_PLACE)
    )
    if (session.scalar(taken) or 0) >= places:
        raise ApiError(409, "full")


def _locked(session: Session, event_id: str) -> Event:
    event = session.scalar(select(Event).where(Event.id == event_id).with_for_update(), execution_options=_FRESH)
    if event is None:
        raise not_found()
    return event


def _locked_assignment(session: Session, assignment_id: int) -> tuple[Assignment, Event]:
    event_id = session.scalar(select(Assignment.event_id).where(Assignment.id == assignment_id))
    if event_id is None:
        raise not_found()
    event = _locked(session, event_id)
    # Read again: whoever held the lock before us may have changed or removed it.
    assignment = session.scalar(select(Assignment).where(Assignment.id == assignment_id), execution_options=_FRESH)
    if assignment is None:
        raise not_found()
    return assignment, event


_FRESH = {"populate_existing": True}


def _written(session: Session, event: Event, assignment: Assignment, kind: Kind) -> None:
    """The one place every change passes, in the caller's transaction, once the row has its id."""
    session.flush()
    publish(session, Change(event.org_id, event.id, kind, assignment.id))
