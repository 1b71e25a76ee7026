"""Templates to answers, with the headers that every page has."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.locales import translate
from app.web import assets
from app.web.language import VARY
from app.web.texts import NAMES, counted, text

HEADERS = {
    # Nothing inline, nothing from elsewhere, and in nobody's frame.
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    # Pages show an organisation's people.
    "Cache-Control": "no-store",
    "Vary": VARY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
}

_environment = Environment(
    loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.globals.update(asset=assets.address, languages=NAMES)


def render(
    template: str, language: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
) -> HTMLResponse:
    """`t(key, ...)` gives a text, `n(key, count)` a counted one, `problem(code)` an error's message."""
    content = _environment.get_template(template).render(
        language=language,
        t=lambda key, **named: text(key, language, **named),
        n=lambda key, count: counted(key, count, language),
        problem=lambda code: translate(code, language),
        **values,
    )
    return HTMLResponse(content, status_code=status, headers={**HEADERS, "Content-Language": language, **(headers or {})})
