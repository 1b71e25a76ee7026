"""Errors for people: the API's JSON becomes a page in their language when a browser asked for a page."""

import json

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.language import chosen
from app.web.render import render

# Other programs' parts, whatever they say they accept.
_NOT_PAGES = ("/api/", "/health", "/metrics", "/static/")
_TITLES = {404: "title_not_found", 405: "title_not_found", 503: "title_unavailable", 500: "title_error"}


def wants_page(scope: Scope) -> bool:
    """Whether the answer is for a person's eyes: browsers ask for text/html when they go somewhere, programs do not."""
    return not scope["path"].startswith(_NOT_PAGES) and "text/html" in Headers(scope=scope).get("accept", "")


class FailurePages:
    """Around everything, so that what the other middleware refuses is shown nicely too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not wants_page(scope):
            await self._app(scope, receive, send)
            return
        failure: Message | None = None
        body = b""

        async def watched(message: Message) -> None:
            nonlocal failure, body
            if message["type"] == "http.response.start" and _is_failure(message):
                failure = message
                return
            if failure is None:
                await send(message)
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                await _show(failure, body, scope, receive, send)

        await self._app(scope, receive, watched)


def _is_failure(start: Message) -> bool:
    return start["status"] >= 400 and Headers(raw=start["headers"]).get("content-type") == "application/json"


async def _show(start: Message, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    error = json.loads(body)["error"]
    page = render(
        "failure.html",
        chosen(Headers(scope=scope)),
        start["status"],
        visitor=None,
        title_key=_TITLES.get(start["status"], "title_refused"),
        code=error["code"],
        request_id=error["request_id"],
        back="/",
    )
    # The page's own headers, and what the answer had beside them (Retry-After, X-Request-Id, cookies).
    own = {name for name, _ in page.raw_headers}
    page.raw_headers += [(name, value) for name, value in start["headers"] if name.lower() not in own]
    await page(scope, receive, send)
