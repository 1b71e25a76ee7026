"""Getting in and out, and the language."""

import contextlib
import urllib.parse
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import AfterValidator
from starlette.responses import RedirectResponse, Response

from app.access import admitted
from app.errors import ApiError
from app.locales import LANGUAGES
from app.rate_limit import RateLimits
from app.routes.caller import DatabaseOf, limits_of, note_organization, settings_of
from app.security import InvalidTokenError, read_token
from app.settings import Settings
from app.sign_in import sign_in
from app.web.fields import storable
from app.web.language import chosen
from app.web.render import render
from app.web.session import cookie_name, end_session, own_site, set_language, set_session

router = APIRouter(include_in_schema=False)


Field = Annotated[str, Form(max_length=1024), AfterValidator(storable)]
SettingsOf = Annotated[Settings, Depends(settings_of)]


@router.get("/login")
async def login_page(request: Request, organization: Annotated[str, Query(max_length=200)] = "", ended: bool = False) -> Response:
    """`organization` fills that field, so that an organisation can give its people one address."""
    back = f"/login?{urllib.parse.urlencode({'organization': organization})}" if organization else "/login"
    return _page(request, organization, ended=ended, back=back)


@router.post("/login", dependencies=[Depends(own_site)])
def login(
    request: Request,
    settings: SettingsOf,
    database: DatabaseOf,
    limits: Annotated[RateLimits, Depends(limits_of)],
    organization: Field = "",
    email: Field = "",
    password: Field = "",
) -> Response:
    organization, email = organization.strip(), email.strip()
    if not (organization and email and password):
        return _page(request, organization, email, ApiError(422, "required"))
    note_organization(organization)
    try:
        signed_in = sign_in(database, settings, limits, organization, email, password)
    except ApiError as error:
        return _page(request, organization, email, error)
    response = RedirectResponse("/events", 303)
    set_session(response, settings, signed_in.token)
    return response


@router.post("/logout", dependencies=[Depends(own_site)])
async def logout(settings: SettingsOf) -> Response:
    """Out of this browser. Other devices stay signed in; a new password ends those."""
    response = RedirectResponse("/login", 303)
    end_session(response, settings)
    return response


@router.post("/language", dependencies=[Depends(own_site)])
def choose_language(
    request: Request, settings: SettingsOf, database: DatabaseOf, language: Annotated[str, Form()], back: Field = "/"
) -> Response:
    """For this browser, and for the person when they are signed in."""
    if language not in LANGUAGES:
        raise ApiError(422, "invalid_request")
    with contextlib.suppress(InvalidTokenError):
        identity = read_token(settings.jwt_keys, request.cookies.get(cookie_name(settings), ""))
        with database.tenant(identity.org_id) as session:
            person = admitted(session, identity)
            if person is not None:
                person.language = language
                session.commit()
    # Only to our own pages: anything else in `back` would be a way to send people elsewhere.
    own = urllib.parse.urlsplit(back).path in {"/login", "/events"} and back.startswith(("/login", "/events"))
    response = RedirectResponse(back if own else "/", 303)
    set_language(response, settings, language)
    return response


def _page(
    request: Request,
    organization: str = "",
    email: str = "",
    problem: ApiError | None = None,
    ended: bool = False,
    back: str = "/login",
) -> Response:
    return render(
        "login.html",
        chosen(request.headers),
        problem.status if problem else 200,
        problem.headers if problem else None,
        visitor=None,
        organization=organization,
        email=email,
        problem_code=problem.code if problem else None,
        ended=ended,
        back=back,
    )
