"""Signing in."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, Field, StringConstraints

from app.rate_limit import RateLimits
from app.routes.caller import DatabaseOf, limits_of, note_organization, settings_of
from app.routes.shapes import Body, Text
from app.security import MAX_PASSWORD_BYTES
from app.settings import Settings
from app.sign_in import sign_in

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


@router.post("", status_code=201, responses={401: {}})
def begin(
    credentials: Credentials,
    database: DatabaseOf,
    settings: Annotated[Settings, Depends(settings_of)],
    limits: Annotated[RateLimits, Depends(limits_of)],
) -> SignedIn:
    note_organization(credentials.organization)
    done = sign_in(database, settings, limits, credentials.organization, credentials.email, credentials.password)
    return SignedIn(access_token=done.token, expires_in=done.seconds, person_id=done.person_id)
