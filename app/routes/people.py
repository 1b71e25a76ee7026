"""The people of one's own organisation. Everybody sees them, administrators change them."""

import datetime as dt
from typing import Literal

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import invitations
from app.errors import ApiError
from app.identifiers import row_id
from app.locales import effective
from app.models import Organization, Person
from app.models.base import utc_now
from app.roles import roles_of
from app.routes.caller import AdminCaller, AnyCaller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.sessions import Password
from app.routes.shapes import Body, Email, Limit, Offset, Page, Roles, Text, as_utc
from app.security import hash_password

router = APIRouter(prefix="/api/v1/people", tags=["people"])

Status = Literal["active", "inactive"]


class PersonWanted(Body):
    name: Text
    email: Email | None = None
    password: Password | None = None
    roles: Roles = []
    language: Text = "en"
    timezone: Text = "UTC"


class PersonChange(Body):
    name: Text | None = None
    email: Email | None = None
    password: Password | None = None
    roles: Roles | None = None
    language: Text | None = None
    timezone: Text | None = None
    status: Status | None = None


class PersonShown(Body):
    """`language` is what is stored; `display_language` is the one of the six that is shown for it."""

    id: str
    name: str
    email: str | None
    roles: list[str]
    language: str
    display_language: str
    timezone: str
    status: str
    created_at: dt.datetime | None


@router.get("")
def list_people(caller: AnyCaller, limit: Limit = 50, offset: Offset = 0, status: Status | None = None) -> Page[PersonShown]:
    statement = select(Person).order_by(Person.id)
    if status is not None:
        statement = statement.where(Person.status == status)
    return page(caller.session, statement, show_person, limit, offset)


@router.post("", status_code=201)
def create(wanted: PersonWanted, caller: AdminCaller) -> PersonShown:
    password_hash = hash_password(wanted.password) if wanted.password else None
    if wanted.email is not None:
        refuse_taken(caller.session, wanted.email)
    person = Person(
        id=row_id("person"),
        name=wanted.name,
        email=wanted.email,
        password_hash=password_hash,
        password_changed_at=utc_now() if password_hash else None,
        roles=wanted.roles,
        language=wanted.language,
        timezone=wanted.timezone,
        invited_by=caller.person.id,
        extra_data={},
    )
    caller.session.add(person)
    caller.session.commit()
    return show_person(person)


@router.get("/{person_id}")
def read(person_id: str, caller: AnyCaller) -> PersonShown:
    return show_person(found(caller.session.get(Person, person_id)))


@router.patch("/{person_id}")
def change(person_id: str, wanted: PersonChange, caller: AdminCaller) -> PersonShown:
    person = found(caller.session.get(Person, person_id))
    given = wanted.model_dump(exclude_none=True, exclude={"password"})
    if wanted.email is not None:
        refuse_taken(caller.session, wanted.email, person.id)
    leaves = person.status == "active" and wanted.status == "inactive"
    if leaves:
        # By the address that they have so far, before it changes.
        person.status = "inactive"
        person.refresh_token_version += 1  # whoever comes back signs in again
        invitations.withdraw(caller.session, person)
    for name, value in given.items():
        setattr(person, name, value)
    invitations.withdraw(caller.session, person)
    if wanted.password is not None:
        person.password_hash = hash_password(wanted.password)
        person.password_changed_at = utc_now()
        person.refresh_token_version += 1  # ends the sessions that the old password began
    caller.session.commit()
    return show_person(person)


def refuse_taken(session: Session, email: str, own_id: str = "") -> None:
    """409 when somebody else of the organisation has the address. No constraint says so, so the organisation's row is
    locked until the commit: two requests at once cannot both find it free (SQLite has one writer anyway)."""
    session.scalars(select(Organization).with_for_update()).one()
    taken = select(Person.id).where(func.lower(Person.email) == email.lower(), Person.id != own_id).limit(1)
    if session.scalar(taken):
        raise ApiError(409, "conflict")


def show_person(person: Person) -> PersonShown:
    return PersonShown(
        id=person.id,
        name=person.name,
        email=person.email,
        roles=roles_of(person),
        language=person.language,
        display_language=effective(person.language),
        timezone=person.timezone,
        status=person.status,
        created_at=as_utc(person.created_at),
    )
