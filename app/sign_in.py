"""Signing in with a password, for the API and the page alike."""

import dataclasses

from sqlalchemy import func, select

from app.database import Database
from app.errors import ApiError
from app.models import Person
from app.models.base import utc_now
from app.rate_limit import RateLimits
from app.security import Identity, issue_token, verify_password
from app.settings import Settings


@dataclasses.dataclass(frozen=True)
class SignedIn:
    """`token` lasts `seconds`."""

    token: str
    seconds: int
    person_id: str
    language: str


def sign_in(database: Database, settings: Settings, limits: RateLimits, organization: str, email: str, password: str) -> SignedIn:
    """401 `invalid_credentials` whatever is wrong; 429 after too many attempts from the address or failures at the account."""
    limits.attempt()
    with limits.guess(organization, email):
        identity, language = _identify(database, organization, email, password)
    token = issue_token(settings.jwt_keys, identity, settings.jwt_ttl)
    return SignedIn(token, settings.jwt_ttl, identity.person_id, language)


def _identify(database: Database, organization: str, email: str, password: str) -> tuple[Identity, str]:
    # Nothing in the schema makes addresses unique, so several people may share one; those with a password count.
    candidates = (
        select(Person)
        .where(func.lower(Person.email) == email.lower(), Person.password_hash.is_not(None))
        .order_by(Person.id)
        .limit(3)
    )
    with database.tenant(organization) as session:
        people = list(session.scalars(candidates))
        session.rollback()  # hashing takes a quarter of a second; no transaction stays open for it
        hashes = [person.password_hash for person in people] or [None]
        matching = [index for index, stored in enumerate(hashes) if verify_password(password, stored)]
        if not matching or people[matching[0]].status != "active":
            raise ApiError(401, "invalid_credentials")
        person = people[matching[0]]
        person.last_login = utc_now()
        session.commit()
        return Identity(person.id, person.org_id, person.refresh_token_version), person.language
