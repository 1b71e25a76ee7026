"""Organisations: signing one up with its first administrator, and one's own."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from app.identifiers import organization_id, row_id
from app.models import Organization, Person
from app.models.base import utc_now
from app.roles import ADMIN
from app.routes.caller import AdminCaller, AnyCaller, DatabaseOf, counted_attempt, note_organization, settings_of
from app.routes.lookup import found
from app.routes.people import PersonShown, show_person
from app.routes.sessions import Password
from app.routes.shapes import Body, Email, Text, as_utc
from app.security import hash_password
from app.settings import Settings

router = APIRouter(prefix="/api/v1/organizations", tags=["organizations"])


class FirstAdmin(Body):
    name: Text
    email: Email
    password: Password
    language: Text = "en"
    timezone: Text = "UTC"


class OrganizationWanted(Body):
    name: Text
    region: Text | None = None
    admin: FirstAdmin


class OrganizationChange(Body):
    name: Text | None = None
    region: Text | None = None


class OrganizationShown(Body):
    id: str
    name: str
    region: str | None
    config: Any
    created_at: dt.datetime | None


class OrganizationCreated(Body):
    organization: OrganizationShown
    admin: PersonShown


@router.post("", status_code=201, dependencies=[Depends(counted_attempt)])
def sign_up(
    wanted: OrganizationWanted,
    response: Response,
    database: DatabaseOf,
    settings: Annotated[Settings, Depends(settings_of)],
) -> OrganizationCreated:
    # Hashing takes a quarter of a second: before the transaction, not in it.
    password_hash = hash_password(wanted.admin.password)
    org_id = organization_id(wanted.name)
    note_organization(org_id)
    with database.tenant(org_id) as session:
        organization = Organization(id=org_id, name=wanted.name, region=wanted.region, config={})
        session.add(organization)
        session.flush()
        admin = Person(
            id=row_id("person"),
            org_id=org_id,
            name=wanted.admin.name,
            email=wanted.admin.email,
            password_hash=password_hash,
            password_changed_at=utc_now(),
            roles=[ADMIN],
            language=wanted.admin.language,
            timezone=wanted.admin.timezone,
            extra_data={},
        )
        session.add(admin)
        session.commit()
        response.headers["Location"] = f"{settings.public_url or ''}/api/v1/organizations/{org_id}"
        return OrganizationCreated(organization=show(organization), admin=show_person(admin))


@router.get("/{org_id}")
def read(org_id: str, caller: AnyCaller) -> OrganizationShown:
    return show(_own(org_id, caller))


@router.patch("/{org_id}")
def change(org_id: str, wanted: OrganizationChange, caller: AdminCaller) -> OrganizationShown:
    organization = _own(org_id, caller)
    if wanted.name is not None:
        organization.name = wanted.name
    if "region" in wanted.model_fields_set:
        organization.region = wanted.region
    caller.session.commit()
    return show(organization)


def _own(org_id: str, caller: AnyCaller) -> Organization:
    return found(caller.session.get(Organization, org_id))


def show(organization: Organization) -> OrganizationShown:
    return OrganizationShown(
        id=organization.id,
        name=organization.name,
        region=organization.region,
        config=organization.config,
        created_at=as_utc(organization.created_at),
    )
