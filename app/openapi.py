"""The API's description (OpenAPI 3.1), errors included."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict

_STATUSES = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)
_SCHEMA = "#/components/schemas/{model}"


class Field(BaseModel):
    """`field`: where, as `body.name`. `problem`: what kind; never what was sent."""

    model_config = ConfigDict(extra="forbid")

    field: str
    problem: str


class ErrorDetails(BaseModel):
    """`code` is for programs, `message` for people in their language. `fields` are given with `invalid_request` only."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str
    request_id: str
    fields: list[Field] = []


class Error(BaseModel):
    """Every answer from 400 on."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetails


def install(app: FastAPI) -> None:
    """Makes this the description that the application serves (where it serves one)."""
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]


def describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _add_errors(path, method, operation)
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    described = Error.model_json_schema(ref_template=_SCHEMA)
    schemas |= described.pop("$defs") | {"Error": described}
    document["components"]["responses"] = {HTTPStatus(status).name: _answer(status) for status in _STATUSES}
    return document


def _add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    """The errors that any such operation can answer with, beside those that its route names (`responses={401: {}}`)."""
    responses = operation["responses"]
    # Host or body refused, too many requests, trouble of our own, no database.
    statuses = {400, 413, 422, 429, 500, 503}
    if "security" in operation:
        statuses |= {401, 403}
    if "{" in path or "requestBody" in operation or "security" in operation:
        statuses.add(404)
    if method != "get":
        statuses.add(409)
    statuses |= {int(status) for status in responses if status >= "400"}
    for status in sorted(statuses):
        responses[str(status)] = {"$ref": f"#/components/responses/{HTTPStatus(status).name}"}


def _answer(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": {"$ref": _SCHEMA.format(model="Error")}}},
    }
    if status in {429, 503}:
        answer["headers"] = {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}}
    return answer
