"""Around every request: its id, who asks, size and host limits, the log line, the metrics, and a net under exceptions."""

import logging
import time
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.client_address import client_address
from app.errors import ApiError, error_response, exception_response, not_found
from app.identifiers import is_uuid7, uuid7
from app.locales import from_header
from app.logs import FIELDS
from app.metrics import Metrics
from app.rate_limit import RateLimits
from app.request_context import RequestContext, current
from app.sentry import Reporter
from app.settings import Settings
from app.stream.answer import MEDIA_TYPE

MAX_BODY_BYTES = 1024 * 1024
# They come to an address, not to a name, and often.
_PROBES = ("/health", "/metrics")
# Of answers that do not say otherwise. They are data, not documents: nothing in them may load, run or be framed.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

logger = logging.getLogger("app.request")


class RequestMiddleware:
    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, limits: RateLimits, reporter: Reporter) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._limits, self._reporter = limits, reporter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = self._context(scope, headers)
        token = current.set(context)
        began = time.perf_counter()
        status = 500  # until an answer starts
        seconds: float | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = context.request_id
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
                if answer.get("content-type", "").startswith(MEDIA_TYPE):
                    seconds = time.perf_counter() - began  # a stream's hours are no time to answer
            await send(message)

        try:
            await self._answer(scope, headers, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - began if seconds is None else seconds)
            current.reset(token)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            self._refuse(scope, headers)
        except ApiError as refusal:
            await error_response(refusal.status, refusal.code, refusal.headers)(scope, receive, watched_send)
            return
        try:
            await self._app(scope, _limited(receive), watched_send)
        except Exception as error:
            if started:
                self._reporter.report(error, scope)
                raise  # half an answer is out: the connection has to break, and uvicorn logs it
            await exception_response(error, self._reporter, scope)(scope, receive, watched_send)

    def _context(self, scope: Scope, headers: Headers) -> RequestContext:
        wished = headers.get("x-request-id", "")
        peer = scope["client"][0] if scope.get("client") else ""
        return RequestContext(
            request_id=wished if is_uuid7(wished) else uuid7(),
            client=client_address(peer, headers.getlist("x-forwarded-for"), self._settings.trusted_proxies),
            language=from_header(headers.get("accept-language", "")),
        )

    def _refuse(self, scope: Scope, headers: Headers) -> None:
        """Raises ApiError for what is refused before any route sees it."""
        path = scope["path"]
        if not path.startswith(_PROBES):
            context = current.get()
            self._limits.request(context.client if context else "")
            if not host_allowed(headers.get("host", ""), self._settings.allowed_hosts):
                raise ApiError(400, "invalid_host")
        if "\x00" in path:  # PostgreSQL's text cannot hold it, so nothing is named like this
            raise not_found()
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            raise ApiError(413, "too_large")

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(unmatched)")
        self._metrics.observe(route, scope["method"], status, seconds)
        probe = route.startswith("/health") or route == "/metrics"
        # Probes are most of the traffic of a small system; they are worth a line when they fail.
        level = logging.DEBUG if probe and status < 400 else logging.INFO
        fields = {"route": route, "method": scope["method"], "status": status, "duration_ms": round(seconds * 1000, 1)}
        logger.log(level, "request", extra={FIELDS: fields})


def _limited(receive: Receive) -> Receive:
    """Counts what arrives: a chunked body announces no length."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return counted


def host_allowed(header: str, allowed: Sequence[str]) -> bool:
    """Whether a Host header names one of `allowed` (`*.x` stands for everything under x), whatever its port."""
    host = header.lower().rpartition(":")[0] if header.rpartition(":")[2].isdecimal() else header.lower()
    host = host.removesuffix(".")
    return any(pattern in {"*", host} or (pattern.startswith("*.") and host.endswith(pattern[1:])) for pattern in allowed)
