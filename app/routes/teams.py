"""Teams of one's own organisation and who is in them. Everybody sees them, administrators change them."""

import datetime as dt

from fastapi import APIRouter
from sqlalchemy import Select, delete, select

from app.errors import ApiError
from app.identifiers import row_id
from app.models import EventTeam, Person, Team, TeamMember
from app.routes.caller import AdminCaller, AnyCaller, Caller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.people import PersonShown, show_person
from app.routes.shapes import Body, Identifier, Limit, LongText, Offset, Page, Text, as_utc

router = APIRouter(prefix="/api/v1/teams", tags=["teams"])


class TeamWanted(Body):
    name: Text
    description: LongText | None = None


class TeamChange(Body):
    name: Text | None = None
    description: LongText | None = None


class TeamShown(Body):
    id: str
    name: str
    description: str | None
    created_at: dt.datetime | None


class MemberWanted(Body):
    person_id: Identifier


@router.get("")
def list_teams(caller: AnyCaller, limit: Limit = 50, offset: Offset = 0, person_id: Identifier | None = None) -> Page[TeamShown]:
    """`person_id`: only the teams they are in."""
    statement = select(Team).order_by(Team.name, Team.id)
    if person_id is not None:
        statement = statement.where(Team.id.in_(select(TeamMember.team_id).where(TeamMember.person_id == person_id)))
    return page(caller.session, statement, show, limit, offset)


@router.post("", status_code=201)
def create(wanted: TeamWanted, caller: AdminCaller) -> TeamShown:
    team = Team(id=row_id("team"), name=wanted.name, description=wanted.description, extra_data={})
    caller.session.add(team)
    caller.session.commit()
    return show(team)


@router.get("/{team_id}")
def read(team_id: str, caller: AnyCaller) -> TeamShown:
    return show(found(caller.session.get(Team, team_id)))


@router.patch("/{team_id}")
def change(team_id: str, wanted: TeamChange, caller: AdminCaller) -> TeamShown:
    team = found(caller.session.get(Team, team_id))
    if wanted.name is not None:
        team.name = wanted.name
    if "description" in wanted.model_fields_set:
        team.description = wanted.description
    caller.session.commit()
    return show(team)


@router.delete("/{team_id}", status_code=204)
def remove(team_id: str, caller: AdminCaller) -> None:
    """Goes with its memberships and its places at events."""
    team = _locked(team_id, caller)
    for dependent in (TeamMember, EventTeam):
        caller.session.execute(
            delete(dependent).where(dependent.team_id == team.id), execution_options={"synchronize_session": False}
        )
    caller.session.delete(team)
    caller.session.commit()


@router.get("/{team_id}/members")
def list_members(team_id: str, caller: AnyCaller, limit: Limit = 50, offset: Offset = 0) -> Page[PersonShown]:
    team = found(caller.session.get(Team, team_id))
    members = select(TeamMember.person_id).where(TeamMember.team_id == team.id)
    statement = select(Person).where(Person.id.in_(members)).order_by(Person.name, Person.id)
    return page(caller.session, statement, show_person, limit, offset)


@router.post("/{team_id}/members", status_code=201)
def add_member(team_id: str, wanted: MemberWanted, caller: AdminCaller) -> PersonShown:
    """404 without such a person, 409 when they are in the team already."""
    team = _locked(team_id, caller)
    person = found(caller.session.get(Person, wanted.person_id))
    if caller.session.scalar(_membership(team.id, person.id)):
        raise ApiError(409, "conflict")
    caller.session.add(TeamMember(team_id=team.id, person_id=person.id))
    caller.session.commit()
    return show_person(person)


@router.delete("/{team_id}/members/{person_id}", status_code=204)
def remove_member(team_id: str, person_id: str, caller: AdminCaller) -> None:
    team = _locked(team_id, caller)
    found(caller.session.scalar(_membership(team.id, person_id)))
    # Old data may hold somebody twice.
    theirs = delete(TeamMember).where(TeamMember.team_id == team.id, TeamMember.person_id == person_id)
    caller.session.execute(theirs, execution_options={"synchronize_session": False})
    caller.session.commit()


def _locked(team_id: str, caller: Caller) -> Team:
    """No constraint says "once a team", so the team's row is locked while it is looked at."""
    return found(caller.session.scalar(select(Team).where(Team.id == team_id).with_for_update()))


def _membership(team_id: str, person_id: str) -> Select[int]:
    return select(TeamMember.id).where(TeamMember.team_id == team_id, TeamMember.person_id == person_id).limit(1)


def show(team: Team) -> TeamShown:
    return TeamShown(id=team.id, name=team.name, description=team.description, created_at=as_utc(team.created_at))
