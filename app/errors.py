"""Every error leaves as `{"error": {"code", "message", "request_id"}}`, in the client's language, with no inside text."""

import logging
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from app.database import DatabaseUnavailableError, unavailable
from app.locales import translate
from app.request_context import current
from app.sentry import Reporter

logger = logging.getLogger(__name__)

_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 401: "unauthenticated", 403: "forbidden", 413: "too_large"}


class ApiError(Exception):
    """Raised by routes. `code` is a key of app/locales."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers


def not_found() -> ApiError:
    """Unknown and another organisation's are the same answer."""
    return ApiError(404, "not_found")


def error_response(
    status: int, code: str, headers: Mapping[str, str] | None = None, fields: Sequence[Mapping[str, str]] | None = None
) -> JSONResponse:
    context = current.get()
    language, request_id = (context.language, context.request_id) if context else ("en", None)
    body: dict[str, object] = {"code": code, "message": translate(code, language), "request_id": request_id}
    if fields:
        body["fields"] = fields
    return JSONResponse({"error": body}, status_code=status, headers=headers)


def exception_response(error: Exception, reporter: Reporter, scope: Scope) -> Response:
    """The answer to an exception nobody handled: 503 when the database is away, 500 otherwise. Logs and reports the latter."""
    if isinstance(error, DatabaseUnavailableError | PoolTimeoutError) or unavailable(error):
        logger.warning("database unavailable", exc_info=None if isinstance(error, DatabaseUnavailableError) else error)
        return error_response(503, "database_unavailable", {"Retry-After": "1"})
    logger.error("unhandled exception", exc_info=error)
    reporter.report(error, scope)
    return error_response(500, "internal_error")


def install(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    def _api(request: Request, error: ApiError) -> Response:
        return error_response(error.status, error.code, error.headers)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:
        # Where and what, without the input: it may be a password.
        fields = [{"field": ".".join(str(part) for part in e["loc"]), "problem": e["type"]} for e in error.errors()]
        return error_response(422, "invalid_request", fields=fields)

    @app.exception_handler(IntegrityError)
    def _integrity(request: Request, error: IntegrityError) -> Response:
        logger.info("integrity conflict", exc_info=error)
        return error_response(409, "conflict")

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        return error_response(error.status_code, _STATUS_CODES.get(error.status_code, "refused"), error.headers)

    for kind in (DatabaseUnavailableError, PoolTimeoutError, DBAPIError):

        @app.exception_handler(kind)
        def _database(request: Request, error: Exception) -> Response:
            return exception_response(error, request.app.state.reporter, request.scope)
