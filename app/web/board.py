"""What the page shows of events: one `Card` for each."""

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import func, select

from app.models import Assignment, Event, Person
from app.models.base import utc_now
from app.routes.shapes import as_utc
from app.signups import HOLDS_A_PLACE, role_counts
from app.web.dates import span, zone_of
from app.web.session import Visitor
from app.web.texts import counted, text

EVENTS_ON_A_PAGE = 20
NAMES_ON_A_CARD = 12


@dataclasses.dataclass(frozen=True)
class Name:
    name: str
    role: str | None
    is_visitor: bool


@dataclasses.dataclass(frozen=True)
class Card:
    """One event as the visitor sees it. `state`: their own sign-up's, None without one. `places`: free places by role, for
    roles that still have one; `full`: there are limits and no role has a place left."""

    id: str
    title: str
    when: str
    start: str
    count: int
    summary: str
    names: Sequence[Name]
    more: int
    state: str | None
    places: dict[str, int]
    full: bool


def upcoming(visitor: Visitor, page: int) -> tuple[list[Card], int]:
    """The cards of `page` (from 1 on), and how many pages there are."""
    coming = Event.end_time >= utc_now()
    total = visitor.session.scalar(select(func.count()).select_from(Event).where(coming)) or 0
    statement = select(Event).where(coming).order_by(Event.start_time, Event.id)
    events = visitor.session.scalars(statement.limit(EVENTS_ON_A_PAGE).offset((page - 1) * EVENTS_ON_A_PAGE)).all()
    return _cards(visitor, events), max(1, -(-total // EVENTS_ON_A_PAGE))


def card(visitor: Visitor, event: Event) -> Card:
    return _cards(visitor, [event])[0]


def title_of(event: Event) -> str:
    """Its title, or its type when it has none."""
    title = event.extra_data.get("title") if isinstance(event.extra_data, dict) else None
    return title if isinstance(title, str) and title else event.type


def _cards(visitor: Visitor, events: Sequence[Event]) -> list[Card]:
    ids = [event.id for event in events]
    taken = _taken(visitor, ids)
    names = {event_id: _names(visitor, event_id) for event_id in taken}
    mine = Assignment.event_id.in_(ids), Assignment.person_id == visitor.person.id
    states = visitor.session.execute(select(Assignment.event_id, Assignment.status).where(*mine))
    own = {row.event_id: row.status for row in states}
    return [_card(visitor, event, taken.get(event.id, {}), names.get(event.id, []), own.get(event.id)) for event in events]


def _card(visitor: Visitor, event: Event, taken: dict[str | None, int], names: list[Name], state: str | None) -> Card:
    zone = zone_of(visitor.person.timezone)
    limits = role_counts(event)
    places = {role: places - taken.get(role, 0) for role, places in limits.items() if places > taken.get(role, 0)}
    count = sum(taken.values())
    return Card(
        id=event.id,
        title=title_of(event),
        when=span(_local(event.start_time, zone), _local(event.end_time, zone), visitor.language),
        start=_local(event.start_time, zone).isoformat(),
        count=count,
        summary=counted("signed_up", count, visitor.language) if count else text("nobody", visitor.language),
        names=names,
        more=count - len(names),
        state=state,
        places=places,
        full=bool(limits) and not places,
    )


def _taken(visitor: Visitor, ids: Sequence[str]) -> dict[str, dict[str | None, int]]:
    """Places taken, by event and role."""
    statement = (
        select(Assignment.event_id, Assignment.role, func.count(Assignment.id))
        .where(Assignment.event_id.in_(ids), Assignment.status.in_(HOLDS_A_PLACE))
        .group_by(Assignment.event_id, Assignment.role)
    )
    taken: dict[str, dict[str | None, int]] = defaultdict(dict)
    for event_id, role, count in visitor.session.execute(statement):
        taken[event_id][role] = count
    return dict(taken)


def _names(visitor: Visitor, event_id: str) -> list[Name]:
    """Who comes: the first few, for an event may have thousands."""
    statement = (
        select(Person.id, Person.name, Assignment.role)
        .join(Assignment, Assignment.person_id == Person.id)
        .where(Assignment.event_id == event_id, Assignment.status.in_(HOLDS_A_PLACE))
        .order_by(Assignment.id)
        .limit(NAMES_ON_A_CARD)
    )
    return [Name(name, role, person_id == visitor.person.id) for person_id, name, role in visitor.session.execute(statement)]


def _local(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    aware = as_utc(moment)
    assert aware is not None
    try:
        return aware.astimezone(zone)
    except OverflowError:  # a row from the ends of the calendar
        return aware
