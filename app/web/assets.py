"""The page's style, script and icon. Their addresses hold a hash of their content, so they may be kept for ever."""

import hashlib
from importlib import resources

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import not_found

_TYPES = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
_CONTENT = {name: resources.files(__package__).joinpath("static", name).read_bytes() for name in _TYPES}
_HASHES = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in _CONTENT.items()}

router = APIRouter(include_in_schema=False)


def address(name: str) -> str:
    """Where `name` is served as it is now."""
    return f"/static/{_HASHES[name]}/{name}"


@router.get("/static/{content_hash}/{name}")
async def asset(content_hash: str, name: str, request: Request) -> Response:
    """Another hash is another release's, for example the one that is just being rolled out: it gets what is here, not to be
    kept, for a page with a slightly different style is better than one without."""
    if name not in _CONTENT:
        raise not_found()
    current = content_hash == _HASHES[name]
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-store",
        "Content-Type": _TYPES[name],
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_CONTENT[name], headers=headers)
