"""The events of one's own organisation. Everybody sees them, administrators change them."""

import datetime as dt
from typing import Any

from fastapi import APIRouter
from pydantic import model_validator
from sqlalchemy import delete, select

from app.errors import ApiError
from app.identifiers import row_id
from app.models import Assignment, Event, EventTeam
from app.routes.caller import AdminCaller, AnyCaller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.shapes import Body, Limit, Moment, Offset, Page, Text, as_utc

router = APIRouter(prefix="/api/v1/events", tags=["events"])


class EventWanted(Body):
    """Times need a zone; they are kept and shown in UTC."""

    type: Text
    title: Text | None = None
    start_time: Moment
    end_time: Moment

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


class EventShown(Body):
    id: str
    type: str
    title: str | None
    start_time: dt.datetime | None
    end_time: dt.datetime | None


@router.get("")
def list_events(caller: AnyCaller, limit: Limit = 50, offset: Offset = 0) -> Page[EventShown]:
    return page(caller.session, select(Event).order_by(Event.start_time, Event.id), show, limit, offset)


@router.post("", status_code=201)
def create(wanted: EventWanted, caller: AdminCaller) -> EventShown:
    event = Event(
        id=row_id("event"),
        type=wanted.type,
        start_time=wanted.start_time,
        end_time=wanted.end_time,
        extra_data={"title": wanted.title} if wanted.title else {},
    )
    caller.session.add(event)
    caller.session.commit()
    return show(event)


@router.get("/{event_id}")
def read(event_id: str, caller: AnyCaller) -> EventShown:
    return show(found(caller.session.get(Event, event_id)))


@router.patch("/{event_id}")
def change(event_id: str, wanted: EventChange, caller: AdminCaller) -> EventShown:
    event = found(caller.session.get(Event, event_id))
    for name, value in wanted.model_dump(exclude_none=True, exclude={"title"}).items():
        setattr(event, name, value)
    if wanted.title is not None:
        event.extra_data = _details(event) | {"title": wanted.title}
    if event.end_time <= event.start_time:
        raise ApiError(422, "invalid_request")
    caller.session.commit()
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
    caller.session.commit()


def show(event: Event) -> EventShown:
    title = _details(event).get("title")
    return EventShown(
        id=event.id,
        type=event.type,
        title=title if isinstance(title, str) else None,
        start_time=as_utc(event.start_time),
        end_time=as_utc(event.end_time),
    )


def _details(event: Event) -> dict[str, Any]:
    return event.extra_data if isinstance(event.extra_data, dict) else {}
