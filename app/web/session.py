"""Who looks at the page: the session cookie, and the protection of forms against other sites."""

import dataclasses
import hashlib
import hmac
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import admitted
from app.errors import ApiError
from app.models import Person
from app.routes.caller import DatabaseOf, note_organization, settings_of
from app.security import InvalidTokenError, read_token
from app.settings import JwtKeys, Settings
from app.web.language import COOKIE, chosen


class SignInNeededError(Exception):
    """Leads to the sign-in page. `ended`: there was a session."""

    def __init__(self, ended: bool) -> None:
        super().__init__()
        self.ended = ended


@dataclasses.dataclass(frozen=True)
class Visitor:
    """Somebody signed in, with a session that sees only their organisation."""

    person: Person
    session: Session
    token: str
    language: str
    form_token: str


def cookie_name(settings: Settings) -> str:
    """`__Host-`: the browser takes it over HTTPS only, for this host only (RFC 6265bis). Development has no HTTPS."""
    return "__Host-session" if settings.is_server else "session"


def set_session(response: Response, settings: Settings, token: str) -> None:
    _set_cookie(response, settings, cookie_name(settings), token, settings.jwt_ttl)


def end_session(response: Response, settings: Settings) -> None:
    _set_cookie(response, settings, cookie_name(settings), "", 0)


def set_language(response: Response, settings: Settings, language: str) -> None:
    _set_cookie(response, settings, COOKIE, language, 365 * 86400)


def _set_cookie(response: Response, settings: Settings, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=settings.is_server, httponly=True, samesite="lax")


def form_token(keys: JwtKeys, token: str, kid: str | None = None) -> str:
    """What each form of this session carries and no other site can know."""
    key = keys.secrets[kid or keys.signing_kid]
    return hmac.new(key.encode(), b"form " + token.encode(), hashlib.sha256).hexdigest()


def _visitor(
    request: Request,
    settings: Annotated[Settings, Depends(settings_of)],
    database: DatabaseOf,
) -> Iterator[Visitor]:
    token = request.cookies.get(cookie_name(settings), "")
    try:
        identity = read_token(settings.jwt_keys, token)
    except InvalidTokenError:
        raise SignInNeededError(ended=bool(token)) from None
    note_organization(identity.org_id)
    with database.tenant(identity.org_id) as session:
        person = admitted(session, identity)
        if person is None:
            raise SignInNeededError(ended=True)
        language = chosen(request.headers, person.language)
        yield Visitor(person, session, token, language, form_token(settings.jwt_keys, token))


# scope="function": the session ends before the answer is sent, so a slow client never holds a database connection.
PageVisitor = Annotated[Visitor, Depends(_visitor, scope="function")]


def own_site(request: Request) -> None:
    """Refuses a POST that another site's page caused. Browsers say where a request comes from in Sec-Fetch-Site (over HTTPS)
    and in Origin; a client that says neither is no browser, so nobody's cookies were borrowed."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in {"same-origin", "none"}
    else:
        own = origin is None or origin.partition("://")[2] == request.headers.get("host", "")
    if not own:
        raise ApiError(403, "refused")


def _form_visitor(
    request: Request,
    visitor: PageVisitor,
    settings: Annotated[Settings, Depends(settings_of)],
    form: Annotated[str, Form(max_length=100)] = "",
) -> Visitor:
    own_site(request)
    # By any key: the first one may have changed since the form was shown.
    keys = settings.jwt_keys
    given = form.encode("utf-8", "replace")
    if not any(hmac.compare_digest(form_token(keys, visitor.token, kid).encode(), given) for kid in keys.secrets):
        raise ApiError(403, "refused")
    return visitor


FormVisitor = Annotated[Visitor, Depends(_form_visitor, scope="function")]
