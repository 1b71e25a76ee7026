"""Puts the page into the application."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from app.errors import error_response
from app.web import assets, entrance, events
from app.web.failures import wants_page
from app.web.session import SignInNeededError, end_session


def install(app: FastAPI) -> None:
    for router in (assets.router, entrance.router, events.router):
        app.include_router(router)

    @app.exception_handler(SignInNeededError)
    async def _sign_in(request: Request, error: SignInNeededError) -> Response:
        """People are led to the sign-in page; the page's script is told."""
        response: Response
        if wants_page(request.scope):
            response = RedirectResponse("/login?ended=true" if error.ended else "/login", 303)
        else:
            response = error_response(401, "unauthenticated")
        end_session(response, request.app.state.settings)
        return response
