"""On a real PostgreSQL: it connects and serves, refuses fast while the server is away, and recovers by itself."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg2
import pytest
from sqlalchemy import select, text

from app.models import AuditLog
from lab.waiting import wait_for
from tests.app.harness import Organization, Postgres, production, run_alembic, serving
from tests.timing import within


@pytest.fixture
def environment(postgres_url: str) -> dict[str, str]:
    return production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1")


def test_us2_2_the_app_configured_for_postgresql_connects_and_serves(environment: dict[str, str]) -> None:
    with serving(environment) as (client, app):
        assert client.get("/health").json()["components"]["database"]["status"] == "healthy"
        organization = Organization(client)
        event = organization.event()
        assert client.post(f"/api/v1/events/{event}/sign-ups", headers=organization.volunteer(), json={}).status_code == 201
        assert client.get("/api/v1/events", headers=organization.admin).json()["items"][0]["start_time"] == "2027-01-03T09:00:00Z"
        huge = f"/api/v1/events/{event}/sign-ups/99999999999"
        assert client.delete(huge, headers=organization.admin).status_code == 422
        with app.state.database.tenant(organization.id) as session:
            session.add(AuditLog(id=f"a-{organization.id}", action="x", status="success", details={"a": [1]}))
            session.commit()
            assert session.scalars(select(AuditLog.details)).one() == {"a": [1]}
        assert client.get("/health").json()["components"]["database"]["connectionPool"]["idle"] >= 1


def test_fr004_connections_are_utc_named_and_bounded(environment: dict[str, str]) -> None:
    with serving(environment) as (_, app), app.state.database.engine.connect() as connection:
        shown = {
            name: connection.scalar(text(f"SHOW {name}"))
            for name in ("timezone", "application_name", "statement_timeout", "server_version_num")
        }
    assert shown["timezone"] == "UTC"  # the server itself says America/New_York
    assert shown["application_name"] == "signupflow"
    assert shown["statement_timeout"] == "10s"
    assert int(shown["server_version_num"]) >= 150000


def test_fr004_one_replica_opens_no_more_than_its_connections(environment: dict[str, str]) -> None:
    with serving(environment | {"DB_CONNECTIONS": "4"}) as (client, app):
        organization = Organization(client)
        with contextlib.closing(psycopg2.connect(environment["DATABASE_URL"])) as watching, ThreadPoolExecutor(16) as threads:
            watching.autocommit = True
            answers = set(threads.map(lambda _: client.get("/api/v1/people", headers=organization.admin).status_code, range(80)))
            # 503: on a busy machine a request can time out waiting for a connection.
            assert 200 in answers
            assert answers <= {200, 503}
            assert client.get("/health").json()["components"]["database"]["connectionPool"]["max"] == 2

            def opened() -> dict[str, int]:
                with watching.cursor() as cursor:
                    cursor.execute(
                        "SELECT application_name, count(*) FROM pg_stat_activity "
                        "WHERE application_name LIKE 'signupflow%' GROUP BY 1"
                    )
                    return dict(cursor.fetchall())

            # The application's own, from a thread of its own.
            wait_for(lambda: "signupflow-listener" in opened(), 10, "the listener has no connection")
            assert opened() == {"signupflow": 2, "signupflow-health": 1, "signupflow-listener": 1}
        with contextlib.closing(app.state.database.connect_listener()) as listener:
            assert listener.autocommit


def test_two_requests_at_once_sign_up_once(environment: dict[str, str]) -> None:
    with serving(environment) as (client, _):
        organization = Organization(client)
        volunteer, path = organization.volunteer(), f"/api/v1/events/{organization.event()}/sign-ups"
        person = {"name": "x", "email": "once@x.org"}
        with ThreadPoolExecutor(8) as pool:
            signed_up = list(pool.map(lambda _: client.post(path, headers=volunteer, json={}).status_code, range(8)))
            made = list(
                pool.map(lambda _: client.post("/api/v1/people", headers=organization.admin, json=person).status_code, range(8))
            )
    assert sorted(signed_up) == [201] + [409] * 7
    assert sorted(made) == [201] + [409] * 7


def test_us1_3_the_database_goes_and_comes_and_the_app_reconnects(postgres: Postgres, environment: dict[str, str]) -> None:
    with serving(environment) as (client, _):
        organization = Organization(client)
        postgres.stop()
        try:
            # How long at most, and how soon it is back, is measured by `make prove LINE=database`.
            for _ in range(10):
                assert_unavailable(within(2.5, lambda: client.get("/api/v1/people", headers=organization.admin)))
            health = client.get("/health")
            assert health.status_code == 503
            assert health.json()["components"]["database"]["lastSuccessfulConnection"].endswith("Z")
            assert client.get("/health/live").status_code == 200
        finally:
            postgres.start()
        wait_for(lambda: client.get("/api/v1/people", headers=organization.admin).status_code == 200, 60, "no service")
        assert client.get("/health").status_code == 200


def test_fr006_a_quick_restart_between_requests_goes_unnoticed(postgres: Postgres, environment: dict[str, str]) -> None:
    with serving(environment) as (client, _):
        organization = Organization(client)
        postgres.stop("immediate")
        postgres.start()
        assert client.get("/api/v1/people", headers=organization.admin).status_code == 200


def test_fr006_the_app_starts_before_its_database(postgres: Postgres, environment: dict[str, str]) -> None:
    postgres.stop()
    try:
        with serving(environment) as (client, _):
            assert client.get("/health/ready").status_code == 200
            wanted = {"organization": "x", "email": "x@x.org", "password": "x"}
            assert_unavailable(client.post("/api/v1/sessions", json=wanted))
            assert client.get("/health/ready").status_code == 200
            assert client.get("/health/ready/database").json() == {"status": "without database"}
            assert client.get("/health/ready/database").status_code == 503
            postgres.start()
            wait_for(lambda: client.post("/api/v1/sessions", json=wanted).status_code == 401, 5, "no service")
            assert client.get("/health/ready/database").status_code == 200
    finally:
        if run_alembic(environment["DATABASE_URL"], "current").returncode:
            postgres.start()


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    error = answer.json()["error"]
    assert error["code"] == "database_unavailable"
    assert error["request_id"] == answer.headers["X-Request-Id"]
    for inside in ("psycopg2", "127.0.0.1", "refused", "SELECT"):
        assert inside not in answer.text
