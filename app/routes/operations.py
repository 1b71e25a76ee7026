"""What operators and machines ask: is it alive, is it ready, is it healthy, how does it do."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.errors import not_found
from app.locales import translate
from app.metrics import CONTENT_TYPE
from app.request_context import current
from app.web.failures import wants_page

router = APIRouter(include_in_schema=False)

_NO_STORE = {"Cache-Control": "no-store"}


@router.get("/")
async def root(request: Request) -> Response:
    """People are led to the page; programs are told what this is."""
    if wants_page(request.scope):
        return RedirectResponse("/events", 303, {"Vary": "Accept"})
    context = current.get()
    welcome = translate("welcome", context.language if context else "en")
    return JSONResponse(
        {"name": "SignUpFlow", "version": request.app.state.settings.app_version, "message": welcome}, headers={"Vary": "Accept"}
    )


@router.get("/health/live")
async def live() -> Response:
    """The process runs and its event loop turns."""
    return JSONResponse({"status": "alive"}, headers=_NO_STORE)


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """Whether to send traffic here."""
    return _readiness(request.app.state.lifecycle.status)


@router.get("/health/ready/database")
async def ready_with_database(request: Request) -> Response:
    """The same for a proxy that sends to all replicas when none passes: 503 also while this one's database is out of reach.
    A replica that alone has lost it (its host's network is just back) is passed over; one that all have lost changes nothing."""
    status = request.app.state.lifecycle.status
    return _readiness("without database" if status == "ready" and request.app.state.database.away else status)


def _readiness(status: str) -> Response:
    return JSONResponse({"status": status}, status_code=200 if status == "ready" else 503, headers=_NO_STORE)


@router.get("/health")
async def health(request: Request) -> Response:
    """The whole state, by the contract in SPEC.md: 200 healthy, 503 degraded."""
    healthy, body = await request.app.state.health.report()
    return JSONResponse(body, status_code=200 if healthy else 503, headers=_NO_STORE)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus on the private network. What came through a proxy came from outside and finds nothing here."""
    if "x-forwarded-for" in request.headers:
        raise not_found()
    return Response(request.app.state.metrics.render(), headers=_NO_STORE | {"Content-Type": CONTENT_TYPE})
