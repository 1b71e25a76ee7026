"""Who calls: from the bearer token to a person and a session that sees only that person's organisation."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from app.access import admitted
from app.database import Database
from app.errors import ApiError
from app.models import Person
from app.rate_limit import RateLimits
from app.request_context import current
from app.roles import is_admin
from app.security import InvalidTokenError, read_token
from app.settings import Settings


@dataclasses.dataclass(frozen=True)
class Caller:
    person: Person
    session: Session

    @property
    def is_admin(self) -> bool:
        return is_admin(self.person)


# `async def` where nothing waits: FastAPI sends a plain function to a worker thread, which costs more than these do.
async def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _database(request: Request) -> AsyncIterator[Database]:
    database: Database = request.app.state.database
    async with database.turn():
        yield database


# scope="function": the turn and the session end before the answer is sent, so a slow client never holds a connection.
DatabaseOf = Annotated[Database, Depends(_database, scope="function")]


async def limits_of(request: Request) -> RateLimits:
    limits: RateLimits = request.app.state.rate_limits
    return limits


async def counted_attempt(limits: Annotated[RateLimits, Depends(limits_of)]) -> None:
    """For routes that take a password or a token and do not go through app.sign_in: 429 after too many from one address."""
    limits.attempt()


def note_organization(org_id: str) -> None:
    """Puts the organisation into this request's log line."""
    context = current.get()
    if context is not None:
        context.org_id = org_id


# None for a header of any other form.
_bearer = HTTPBearer(auto_error=False, description="The `access_token` of POST /api/v1/sessions.")


def _caller(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    settings: Annotated[Settings, Depends(settings_of)],
    database: DatabaseOf,
) -> Iterator[Caller]:
    refused = ApiError(401, "unauthenticated", {"WWW-Authenticate": "Bearer"})
    if bearer is None:
        raise refused
    try:
        identity = read_token(settings.jwt_keys, bearer.credentials.strip())
    except InvalidTokenError:
        raise refused from None
    note_organization(identity.org_id)
    with database.tenant(identity.org_id) as session:
        person = admitted(session, identity)
        if person is None:
            raise refused
        yield Caller(person, session)


AnyCaller = Annotated[Caller, Depends(_caller, scope="function")]


async def _admin(caller: AnyCaller) -> Caller:
    if not caller.is_admin:
        raise ApiError(403, "forbidden")
    return caller


AdminCaller = Annotated[Caller, Depends(_admin, scope="function")]
