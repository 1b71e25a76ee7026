"""The stream of changes, for the API's callers (by token) and for the page (by its cookie)."""

import logging

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.access import admitted
from app.database import Database, DatabaseUnavailableError
from app.routes.caller import AnyCaller
from app.security import expires_at, read_token
from app.settings import Settings
from app.stream.answer import EventStream
from app.web.session import PageVisitor

API_PATH = "/api/v1/stream"
PAGE_PATH = "/stream"

router = APIRouter()

logger = logging.getLogger(__name__)


@router.get(API_PATH, tags=["stream"], status_code=200, response_class=EventStream, response_model=None)
def stream(request: Request, caller: AnyCaller) -> Response:
    """Server-sent events: `ready` first, `change` with an event's id and what happened, `resync` when changes may have been
    missed, `paused` while none can be heard, `bye` before a planned end. 503 when there are too many streams."""
    return _stream(request, request.headers["authorization"].partition(" ")[2].strip())


@router.get(PAGE_PATH, include_in_schema=False)
def page_stream(request: Request, visitor: PageVisitor) -> Response:
    return _stream(request, visitor.token)


def _stream(request: Request, token: str) -> Response:
    """`token` is one that was accepted just now."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    identity = read_token(settings.jwt_keys, token)

    def still_allowed() -> bool:
        try:
            with database.tenant(identity.org_id) as session:
                return admitted(session, identity) is not None
        except Exception as error:
            # A lost database is no reason to send thousands of browsers to reconnect to it.
            logger.warning("access of an open stream could not be checked", exc_info=error)
            return True

    async def checked() -> bool:
        try:
            async with database.turn():
                return await run_in_threadpool(still_allowed)
        except DatabaseUnavailableError:
            return True

    return EventStream(
        request.app.state.hub,
        identity.org_id,
        identity.person_id,
        expires_at(token),
        checked,
        request.headers.get("last-event-id"),
    )
