"""Which language a page is in: what the person chose, else what is stored for them, else what their browser asks for."""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from app.locales import LANGUAGES, effective, from_header

COOKIE = "lang"
# The answer depends on these (the session's cookie too: it says whose stored language).
VARY = "Accept-Language, Cookie"


def chosen(headers: Headers, stored: str | None = None) -> str:
    """One of LANGUAGES."""
    cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    if cookie in LANGUAGES:
        return cookie
    return effective(stored) if stored else from_header(headers.get("accept-language", ""))
