"""Invitations: administrators send them (the link, not the mail, is made here), and whoever has the token gets in once."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import func, select

from app import invitations
from app.errors import ApiError
from app.identifiers import row_id
from app.models import Invitation, Person
from app.models.base import utc_now
from app.routes.caller import AdminCaller, DatabaseOf, counted_attempt, note_organization
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.people import PersonShown, refuse_taken, show_person
from app.routes.sessions import Password
from app.routes.shapes import Body, Email, Limit, Offset, Page, Roles, Text, as_utc
from app.security import hash_password

router = APIRouter(prefix="/api/v1/invitations", tags=["invitations"])


class InvitationWanted(Body):
    email: Email
    name: Text | None = None
    roles: Roles = ["volunteer"]
    expires_in_days: Annotated[int, Field(ge=1, le=90)] = 7


class InvitationShown(Body):
    id: str
    email: str
    name: str
    roles: list[str]
    status: str
    invited_by: str
    expires_at: dt.datetime | None
    created_at: dt.datetime | None
    accepted_at: dt.datetime | None


class InvitationCreated(InvitationShown):
    """`token` is in this answer only; the link that is sent holds it and the organisation's id."""

    token: str


class Acceptance(Body):
    organization: Text
    token: Text
    name: Text
    password: Password
    language: Text = "en"
    timezone: Text = "UTC"


@router.get("")
def list_invitations(
    caller: AdminCaller, limit: Limit = 50, offset: Offset = 0, status: invitations.Status | None = None
) -> Page[InvitationShown]:
    statement = select(Invitation).order_by(Invitation.created_at, Invitation.id)
    if status is not None:
        statement = statement.where(invitations.of_status(status))
    return page(caller.session, statement, show, limit, offset)


@router.post("", status_code=201)
def create(wanted: InvitationWanted, caller: AdminCaller) -> InvitationCreated:
    """409 when somebody of the organisation has the address, or an invitation to it is pending."""
    refuse_taken(caller.session, wanted.email)
    pending = select(Invitation.id).where(func.lower(Invitation.email) == wanted.email.lower(), invitations.of_status("pending"))
    if caller.session.scalar(pending.limit(1)):
        raise ApiError(409, "conflict")
    token = invitations.new_token()
    invitation = Invitation(
        id=row_id("inv"),
        email=wanted.email,
        name=wanted.name or wanted.email,
        roles=wanted.roles,
        invited_by=caller.person.id,
        token=invitations.stored(token),
        status="pending",
        expires_at=invitations.expiry(wanted.expires_in_days),
    )
    caller.session.add(invitation)
    caller.session.commit()
    return InvitationCreated(**show(invitation).model_dump(), token=token)


@router.post("/accept", status_code=201, dependencies=[Depends(counted_attempt)])
def accept(wanted: Acceptance, database: DatabaseOf) -> PersonShown:
    """Makes the person. 404 `invalid_invitation` for unknown, used, revoked and expired tokens alike; 409 when somebody of
    the organisation has got the address in the meantime."""
    note_organization(wanted.organization)
    # First, and always: the time it takes must not tell whether there is such an invitation.
    password_hash = hash_password(wanted.password)
    with database.tenant(wanted.organization) as session:
        invitation = invitations.usable(session, wanted.token)
        if invitation is None:
            raise ApiError(404, "invalid_invitation")
        refuse_taken(session, invitation.email)
        person = Person(
            id=row_id("person"),
            name=wanted.name,
            email=invitation.email,
            password_hash=password_hash,
            password_changed_at=utc_now(),
            roles=invitation.roles,
            language=wanted.language,
            timezone=wanted.timezone,
            invited_by=invitation.invited_by,
            extra_data={},
        )
        session.add(person)
        invitation.status, invitation.accepted_at = "accepted", utc_now()
        session.commit()
        return show_person(person)


@router.delete("/{invitation_id}", status_code=204)
def revoke(invitation_id: str, caller: AdminCaller) -> None:
    """Its token opens nothing any more. 409 `state_refused` when it was accepted; revoking twice is once."""
    statement = select(Invitation).where(Invitation.id == invitation_id).with_for_update()
    invitation = found(caller.session.scalar(statement))
    if invitation.status == "accepted":
        raise ApiError(409, "state_refused")
    invitation.status = "cancelled"
    caller.session.commit()


def show(invitation: Invitation) -> InvitationShown:
    roles = invitation.roles if isinstance(invitation.roles, list) else []
    return InvitationShown(
        id=invitation.id,
        email=invitation.email,
        name=invitation.name,
        roles=[role for role in roles if isinstance(role, str)],
        status=invitations.status_of(invitation),
        invited_by=invitation.invited_by,
        expires_at=as_utc(invitation.expires_at),
        created_at=as_utc(invitation.created_at),
        accepted_at=as_utc(invitation.accepted_at),
    )
