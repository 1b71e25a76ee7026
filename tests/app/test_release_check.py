"""`python -m app.release_check`, as `docker exec` runs it: a process of its own with a running replica's settings."""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psycopg2
import pytest

from app import main as application
from tests.app.harness import HEAD, JWT_KEY, ROOT, Organization, Postgres, development, production, run_alembic, serving

pytestmark = pytest.mark.slow

KNOWN_SECRETS = ("3f9c1e7ab5d2486f90", JWT_KEY.partition(":")[2])


@pytest.fixture
def environment(postgres: Postgres) -> dict[str, str]:
    """A replica's, with an empty database of this test's own."""
    url = postgres.create(f"check{secrets.token_hex(4)}")
    assert run_alembic(url, "upgrade", "head").returncode == 0
    return production(DATABASE_URL=url, ALLOWED_HOSTS="*.volunteers.test,127.0.0.1")


def run_check(environment: dict[str, str], client: httpx.Client, **changes: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], **environment, "PORT": str(client.base_url.port), **changes}
    variables = {name: value for name, value in variables.items() if value}
    command = [sys.executable, "-m", "app.release_check"]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert not any(secret in result.stdout + result.stderr for secret in KNOWN_SECRETS)
    return result


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    return line


def test_us2_3_a_replica_says_its_version_and_the_database_s_schema(environment: dict[str, str]) -> None:
    with serving(environment) as (client, _):
        Organization(client)
        result = run_check(environment, client)
        assert (result.returncode, result.stderr) == (0, "")
        assert json.loads(result.stdout) == {"version": "1.4.0", "schema": HEAD, "tenants": "untested"}
        assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("with_event", [False, True])
def test_us5_a_token_for_one_organisation_is_refused_the_other_s_rows(environment: dict[str, str], with_event: bool) -> None:
    with serving(environment) as (client, _):
        organizations = [Organization(client), Organization(client)]
        for organization in organizations if with_event else []:
            organization.event()
        before = rows(environment["DATABASE_URL"])
        result = run_check(environment, client)
        assert json.loads(result.stdout)["tenants"] == "refused"
        assert rows(environment["DATABASE_URL"]) == before


def test_us5_a_replica_that_shows_another_organisation_s_person_is_unfit(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(person_id: str) -> dict[str, str]:
        return {"id": person_id}

    with serving_instead(environment, monkeypatch, "/api/v1/people/{person_id}", shown) as client:
        assert "people/... answered 200 for another organisation's row" in refusal(run_check(environment, client))


def test_us5_a_replica_that_shows_another_organisation_s_event_is_unfit(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(event_id: str) -> dict[str, str]:
        return {"id": event_id}

    with serving_instead(environment, monkeypatch, "/api/v1/events/{event_id}", shown) as client:
        assert "events/... answered 200 for another organisation's row" in refusal(run_check(environment, client))


def test_us5_a_replica_that_refuses_everything_is_unfit(environment: dict[str, str]) -> None:
    """The positive control: refusing others' rows means nothing where one's own are refused too."""
    with serving(environment) as (client, _):
        Organization(client), Organization(client)
        others = JWT_KEY.replace("6d1f", "7d1f")
        assert "answered 401 to the person's own token" in refusal(run_check(environment, client, JWT_KEYS=others))


def test_us5_people_who_cannot_sign_in_do_not_stand_in_the_way(environment: dict[str, str]) -> None:
    """Real data: people without a password, people who left, ids of other forms, raised token versions."""
    with serving(environment) as (client, _):
        Organization(client), Organization(client)
        change(
            environment["DATABASE_URL"],
            "UPDATE people SET password_hash = NULL, refresh_token_version = 7",
            "INSERT INTO organizations (id, name) VALUES ('a church', 'A')",
            *(
                "INSERT INTO people (id, org_id, name, timezone, language, status, is_sample) "
                f"VALUES ('{person}', 'a church', 'x', 'UTC', 'xx', '{status}', false)"
                for person, status in (("a 1", "inactive"), ("a é?#%2F", "active"), ("a/b", "active"), ("", "active"))
            ),
        )
        result = run_check(environment, client)
        assert (json.loads(result.stdout)["tenants"], result.stderr) == ("refused", "")
        change(environment["DATABASE_URL"], "UPDATE people SET status = 'inactive'")
        assert json.loads(run_check(environment, client).stdout)["tenants"] == "untested"


def test_us2_3_a_database_without_a_schema_is_told(environment: dict[str, str]) -> None:
    with serving(environment) as (client, _):
        change(environment["DATABASE_URL"], "DELETE FROM alembic_version")
        assert refusal(run_check(environment, client)) == "the database has no schema revision: its migrations have not run"
        change(environment["DATABASE_URL"], "DROP TABLE alembic_version")
        assert "cannot be read (ProgrammingError)" in refusal(run_check(environment, client))


def test_us2_3_a_replica_that_does_not_answer_or_is_not_well_is_unfit(environment: dict[str, str]) -> None:
    with serving(environment) as (client, app):
        assert "did not answer: ConnectionRefusedError" in refusal(run_check(environment, client, PORT="1"))
        lost = "postgresql://app:3f9c1e7ab5d2486f90@127.0.0.1:1/signupflow"
        assert "cannot be read (OperationalError)" in refusal(run_check(environment, client, DATABASE_URL=lost))
        assert "JWT_KEYS is required" in refusal(run_check(environment, client, JWT_KEYS=""))
        app.state.health._memory = lambda: 99.0
        assert refusal(run_check(environment, client)) == "GET /health answered 503; failed: memory"
    with answering(b'{"version": 1}') as client:
        assert "answered 200 and not its report" in refusal(run_check(environment, client))


def test_us5_the_check_writes_nothing_even_on_sqlite(sqlite_url: str) -> None:
    settings = development(sqlite_url)
    with serving(settings) as (client, _):
        Organization(client), Organization(client)
        assert json.loads(run_check(settings, client).stdout)["tenants"] == "refused"


def rows(url: str) -> dict[str, str]:
    """Table to a digest of all its rows; PostgreSQL's counters would come late."""
    found = {}
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1")
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT count(*) || coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text)), '') FROM \"{table}\" t"
            )
            ((found[table],),) = cursor.fetchall()
    connection.close()
    return found


def change(url: str, *statements: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


@contextmanager
def serving_instead(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, path: str, route: object
) -> Iterator[httpx.Client]:
    """A replica with one route that forgets about organisations, and two of these with an event each."""
    create = application.create_app

    def broken(settings: object) -> object:
        app = create(settings)  # type: ignore[arg-type]
        app.add_api_route(path, route, methods=["GET"])  # type: ignore[arg-type]
        app.router.routes.insert(0, app.router.routes.pop())
        return app

    monkeypatch.setattr("tests.app.harness.create_app", broken)
    with serving(environment) as (client, _):
        for organization in (Organization(client), Organization(client)):
            organization.event()
        yield client


@contextmanager
def answering(body: bytes) -> Iterator[httpx.Client]:
    """Something that answers everything with this and 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
