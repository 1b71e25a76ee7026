"""Signing in."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import func, select

from app.database import Database
from app.errors import ApiError
from app.models import Person
from app.models.base import utc_now
from app.routes.caller import database_of, note_organization, settings_of
from app.routes.shapes import Body, Text
from app.security import MAX_PASSWORD_BYTES, Identity, issue_token, verify_password
from app.settings import Settings

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])


def _hashable(password: str) -> str:
    if "\x00" in password or len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise ValueError(f"is longer than {MAX_PASSWORD_BYTES} bytes or holds a NUL")
    return password


Password = Annotated[str, StringConstraints(min_length=10), AfterValidator(_hashable)]


class Credentials(Body):
    organization: Text
    email: Text
    password: str = Field(min_length=1, max_length=1024)


class SignedIn(Body):
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the word of RFC 6750, not a secret
    expires_in: int
    person_id: str


@router.post("", status_code=201)
def sign_in(
    credentials: Credentials,
    database: Annotated[Database, Depends(database_of)],
    settings: Annotated[Settings, Depends(settings_of)],
) -> SignedIn:
    note_organization(credentials.organization)
    # Nothing in the schema makes addresses unique, so several people may share one; those with a password count.
    candidates = (
        select(Person)
        .where(func.lower(Person.email) == credentials.email.lower(), Person.password_hash.is_not(None))
        .order_by(Person.id)
        .limit(3)
    )
    with database.tenant(credentials.organization) as session:
        people = list(session.scalars(candidates))
        session.rollback()  # hashing takes a quarter of a second; no transaction stays open for it
        hashes = [person.password_hash for person in people] or [None]
        matching = [index for index, stored in enumerate(hashes) if verify_password(credentials.password, stored)]
        if not matching or people[matching[0]].status != "active":
            raise ApiError(401, "invalid_credentials")
        person = people[matching[0]]
        person.last_login = utc_now()
        session.commit()
        identity = Identity(person.id, person.org_id, person.refresh_token_version)
    token = issue_token(settings.jwt_keys, identity, settings.jwt_ttl)
    return SignedIn(access_token=token, expires_in=settings.jwt_ttl, person_id=person.id)
