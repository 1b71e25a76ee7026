"""The events of one's own organisation. Everybody sees them, administrators change them."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field, model_validator
from sqlalchemy import delete, select

from app.errors import ApiError
from app.identifiers import row_id
from app.models import Assignment, Event, EventTeam
from app.routes.caller import AdminCaller, AnyCaller, Caller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.shapes import Body, Limit, Moment, Offset, Page, Text, as_utc
from app.signups import role_counts
from app.stream.publish import Change, publish

router = APIRouter(prefix="/api/v1/events", tags=["events"])

# Places by role; a role that is not named has no limit.
RoleCounts = Annotated[dict[Text, Annotated[int, Field(ge=0, le=10_000)]], Field(max_length=50)]
# What is kept in the row's details.
_DETAILS = ("title", "role_counts")


class EventWanted(Body):
    """Times need a zone; they are kept and shown in UTC."""

    type: Text
    title: Text | None = None
    start_time: Moment
    end_time: Moment
    role_counts: RoleCounts | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "EventWanted":
        if self.end_time <= self.start_time:
            raise ValueError("ends before it starts")
        return self


class EventChange(Body):
    type: Text | None = None
    title: Text | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    role_counts: RoleCounts | None = None


class EventShown(Body):
    id: str
    type: str
    title: str | None
    start_time: dt.datetime | None
    end_time: dt.datetime | None
    role_counts: dict[str, int]


@router.get("")
def list_events(
    caller: AnyCaller,
    limit: Limit = 50,
    offset: Offset = 0,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    type: Text | None = None,
) -> Page[EventShown]:
    """In the order they start. `from` (included) and `to` (not included) bound when they start."""
    statement = select(Event).order_by(Event.start_time, Event.id)
    if start is not None:
        statement = statement.where(Event.start_time >= start)
    if end is not None:
        statement = statement.where(Event.start_time < end)
    if type is not None:
        statement = statement.where(Event.type == type)
    return page(caller.session, statement, show, limit, offset)


@router.post("", status_code=201)
def create(wanted: EventWanted, caller: AdminCaller) -> EventShown:
    event = Event(
        id=row_id("event"),
        type=wanted.type,
        start_time=wanted.start_time,
        end_time=wanted.end_time,
        extra_data={name: value for name in _DETAILS if (value := getattr(wanted, name)) is not None},
    )
    caller.session.add(event)
    _written(caller, event, "event_made")
    return show(event)


@router.get("/{event_id}")
def read(event_id: str, caller: AnyCaller) -> EventShown:
    return show(found(caller.session.get(Event, event_id)))


@router.patch("/{event_id}")
def change(event_id: str, wanted: EventChange, caller: AdminCaller) -> EventShown:
    event = found(caller.session.get(Event, event_id))
    for name, value in wanted.model_dump(exclude_none=True, exclude=set(_DETAILS)).items():
        setattr(event, name, value)
    event.extra_data = _details(event) | wanted.model_dump(exclude_none=True, include=set(_DETAILS))
    if event.end_time <= event.start_time:
        raise ApiError(422, "invalid_request")
    _written(caller, event, "event_changed")
    return show(event)


@router.delete("/{event_id}", status_code=204)
def remove(event_id: str, caller: AdminCaller) -> None:
    """Goes with its sign-ups and teams. 409 while anything else (a message, a series' exception) refers to it."""
    event = found(caller.session.get(Event, event_id))
    for dependent in (Assignment, EventTeam):
        caller.session.execute(
            delete(dependent).where(dependent.event_id == event.id), execution_options={"synchronize_session": False}
        )
    caller.session.delete(event)
    _written(caller, event, "event_removed")


def _written(caller: Caller, event: Event, kind: str) -> None:
    """Commits, and tells whoever has the page open."""
    publish(caller.session, Change(caller.person.org_id, event.id, kind))
    caller.session.commit()


def show(event: Event) -> EventShown:
    title = _details(event).get("title")
    return EventShown(
        id=event.id,
        type=event.type,
        title=title if isinstance(title, str) else None,
        start_time=as_utc(event.start_time),
        end_time=as_utc(event.end_time),
        role_counts=role_counts(event),
    )


def _details(event: Event) -> dict[str, Any]:
    return event.extra_data if isinstance(event.extra_data, dict) else {}
