"""`python -m app.release_check`: is this replica fit for traffic? Run by `docker exec` inside it, before it gets any.

It asks its own server over HTTP and the database with the replica's own settings, changes nothing, and prints one line of
JSON, `{"version": ..., "schema": ..., "tenants": ...}`: the version that answers, the database's Alembic revision, and
`refused` when a token for one organisation was refused another's rows, or `untested` when there are no two organisations
with people. Exit 0; or exit 1 and one line on stderr. It takes one database connection beyond the replica's own.
"""

import dataclasses
import http.client
import json
import os
import sys
import urllib.parse
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from app.security import Identity, issue_token
from app.settings import Settings, SettingsError

# Of one request or statement; all of them together take well under a second.
_SECONDS = 10
_TOKEN_SECONDS = 60
_REFUSALS = {403, 404}

# An id with a slash would be another path. Somebody signed in is active (app.access); whom they ask for need not be.
_OWN = """
    SELECT id, org_id, refresh_token_version FROM people
    WHERE status = 'active' AND id <> '' AND id NOT LIKE '%/%' ORDER BY id LIMIT 1
"""
_FOREIGN = {
    "people": "SELECT id FROM people WHERE org_id <> :org_id AND id <> '' AND id NOT LIKE '%/%' ORDER BY id LIMIT 1",
    "events": "SELECT id FROM events WHERE org_id <> :org_id AND id <> '' AND id NOT LIKE '%/%' ORDER BY id LIMIT 1",
}


class UnfitError(Exception):
    """Why the replica must not get traffic: one line, without secrets or anybody's data."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the database holds for the check. `own` is None without two organisations; `foreign` is an id by collection."""

    schema: str
    own: Identity | None
    foreign: dict[str, str]


def check(settings: Settings) -> dict[str, str]:
    """The line that is printed. Raises UnfitError."""
    version = _version(settings)
    rows = _rows(settings)
    return {"version": version, "schema": rows.schema, "tenants": _tenants(settings, rows)}


def _version(settings: Settings) -> str:
    status, body = _get(settings, "/health")
    try:
        report: dict[str, Any] = json.loads(body)
        version, checks = str(report["version"]), dict(report["checks"])
    except (ValueError, KeyError, TypeError):
        raise UnfitError(f"GET /health answered {status} and not its report") from None
    if status != http.HTTPStatus.OK:
        failed = ", ".join(sorted(str(name) for name, verdict in checks.items() if verdict != "passed"))
        raise UnfitError(f"GET /health answered {status}; failed: {failed or 'no check'}")
    return version


def _tenants(settings: Settings, rows: Rows) -> str:
    if rows.own is None:
        return "untested"
    token = issue_token(settings.jwt_keys, rows.own, _TOKEN_SECONDS)
    status, _ = _get(settings, _path("people", rows.own.person_id), token)
    if status != http.HTTPStatus.OK:
        raise UnfitError(f"GET /api/v1/people/... answered {status} to the person's own token instead of 200")
    for collection, row_id in rows.foreign.items():
        status, _ = _get(settings, _path(collection, row_id), token)
        if status not in _REFUSALS:
            raise UnfitError(
                f"GET /api/v1/{collection}/... answered {status} for another organisation's row, which must be refused"
            )
    return "refused"


def _path(collection: str, row_id: str) -> str:
    return f"/api/v1/{collection}/{urllib.parse.quote(row_id, safe='')}"


def _get(settings: Settings, path: str, token: str = "") -> tuple[int, bytes]:
    headers = {"Host": _host(settings.allowed_hosts), "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnfitError(f"127.0.0.1:{settings.port} did not answer: {type(error).__name__}") from None
    finally:
        connection.close()


def _host(allowed: tuple[str, ...]) -> str:
    """A name that app.middleware accepts."""
    first = allowed[0]
    return "127.0.0.1" if first == "*" else f"release-check{first[1:]}" if first.startswith("*.") else first


def _rows(settings: Settings) -> Rows:
    url = make_url(settings.database_url.get_secret_value())
    arguments: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        # Read-only by the server's word.
        options = f"-c default_transaction_read_only=on -c timezone=UTC -c statement_timeout={_SECONDS}s"
        arguments = {
            "application_name": "signupflow-release-check",
            "connect_timeout": settings.db_connect_timeout,
            "options": options,
        }
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)
    if not arguments:
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA query_only=ON"))
    try:
        with engine.connect() as connection:
            return _read(connection)
    except SQLAlchemyError as error:
        # Not the driver's text, which names hosts and users.
        raise UnfitError(f"the database that DATABASE_URL names cannot be read ({type(error).__name__})") from None


def _read(connection: Connection) -> Rows:
    revisions = sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))
    if not revisions:
        raise UnfitError("the database has no schema revision: its migrations have not run")
    person = connection.execute(text(_OWN)).one_or_none()
    foreign: dict[str, str] = {}
    if person is not None:
        found = {name: connection.scalar(text(statement), {"org_id": person.org_id}) for name, statement in _FOREIGN.items()}
        foreign = {name: str(row_id) for name, row_id in found.items() if row_id is not None}
    if person is None or "people" not in foreign:
        return Rows(",".join(revisions), None, {})
    own = Identity(str(person.id), str(person.org_id), int(person.refresh_token_version))
    return Rows(",".join(revisions), own, foreign)


def main() -> int:
    try:
        found = check(Settings.from_environment(os.environ))
    except (UnfitError, SettingsError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
