"""Which teams serve at an event. Everybody sees them, administrators change them."""

from fastapi import APIRouter
from sqlalchemy import Select, delete, select

from app.errors import ApiError
from app.models import Event, EventTeam, Team
from app.routes.caller import AdminCaller, AnyCaller, Caller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.shapes import Body, Identifier, Limit, Offset, Page
from app.routes.teams import TeamShown, show

router = APIRouter(prefix="/api/v1/events/{event_id}/teams", tags=["events"])


class TeamAttached(Body):
    team_id: Identifier


@router.get("")
def list_event_teams(event_id: str, caller: AnyCaller, limit: Limit = 50, offset: Offset = 0) -> Page[TeamShown]:
    event = found(caller.session.get(Event, event_id))
    attached = select(EventTeam.team_id).where(EventTeam.event_id == event.id)
    return page(caller.session, select(Team).where(Team.id.in_(attached)).order_by(Team.name, Team.id), show, limit, offset)


@router.post("", status_code=201)
def attach(event_id: str, wanted: TeamAttached, caller: AdminCaller) -> TeamShown:
    """404 without such a team, 409 when it is there already."""
    event = _locked(event_id, caller)
    team = found(caller.session.get(Team, wanted.team_id))
    if caller.session.scalar(_attachment(event.id, team.id)):
        raise ApiError(409, "conflict")
    caller.session.add(EventTeam(event_id=event.id, team_id=team.id))
    caller.session.commit()
    return show(team)


@router.delete("/{team_id}", status_code=204)
def detach(event_id: str, team_id: str, caller: AdminCaller) -> None:
    event = _locked(event_id, caller)
    found(caller.session.scalar(_attachment(event.id, team_id)))
    theirs = delete(EventTeam).where(EventTeam.event_id == event.id, EventTeam.team_id == team_id)
    caller.session.execute(theirs, execution_options={"synchronize_session": False})
    caller.session.commit()


def _locked(event_id: str, caller: Caller) -> Event:
    """No constraint says "once an event", so the event's row is locked while it is looked at."""
    return found(caller.session.scalar(select(Event).where(Event.id == event_id).with_for_update()))


def _attachment(event_id: str, team_id: str) -> Select[int]:
    return select(EventTeam.id).where(EventTeam.event_id == event_id, EventTeam.team_id == team_id).limit(1)
