"""JSON logs: one line a request with who, what and how long; never a secret, a body or a driver's text."""

import json
import re
import uuid

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.identifiers import is_uuid7, uuid7
from tests.app.harness import PASSWORD, Organization, development, serving


def request_lines(out: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in out.splitlines()]
    return [line for line in lines if line["logger"] == "app.request"]


def test_fr019_one_line_a_request(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(development(sqlite_url, TRUSTED_PROXIES="127.0.0.0/8")) as (client, _):
        organization = Organization(client)
        event = organization.event()
        headers = organization.admin | {"X-Forwarded-For": "9.9.9.9, 198.51.100.7"}
        answer = client.get(f"/api/v1/events/{event}", headers=headers)
    # Read when the server has ended: the line is written after the answer's last byte.
    lines = request_lines(capsys.readouterr().out)
    (line,) = [line for line in lines if line["request_id"] == answer.headers["X-Request-Id"]]
    assert line["org_id"] == organization.id
    assert line["route"] == "/api/v1/events/{event_id}"
    assert (line["method"], line["status"], line["client"], line["level"]) == ("GET", 200, "198.51.100.7", "info")
    assert isinstance(line["duration_ms"], float)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["ts"]))


def test_fr019_request_ids_are_taken_when_valid_and_made_otherwise(sqlite_url: str) -> None:
    ours = uuid7()
    with serving(development(sqlite_url)) as (client, _):
        assert client.get("/", headers={"X-Request-Id": ours}).headers["X-Request-Id"] == ours
        for bad in ("x", str(uuid.uuid4()), ours + "0", "<script>"):
            made = client.get("/", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
            assert made != bad
            assert is_uuid7(made)
    assert uuid.UUID(ours).version == 7
    assert ours < uuid7()[:8] + "f"


def test_sec001_no_secret_and_no_body_in_logs(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(development(sqlite_url, LOG_LEVEL="debug")) as (client, _):
        organization = Organization(client)
        client.get("/api/v1/people?marker=QUERYMARKER", headers=organization.admin)
        client.post("/api/v1/sessions", json={"organization": organization.id, "email": "x@x.org", "password": "MARKERPASSWORD"})
        token = organization.admin["Authorization"].removeprefix("Bearer ")
    ours = [line for line in capsys.readouterr().out.splitlines() if json.loads(line)["logger"].startswith(("app", "uvicorn"))]
    assert len(ours) > 4  # the search looks at something
    assert any(organization.id in line for line in ours)
    for marker in (PASSWORD, "MARKERPASSWORD", token, organization.email, "QUERYMARKER"):
        assert not any(marker in line for line in ours)


def test_fr019_exceptions_are_one_json_line_and_a_500_without_inside_text(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(development(sqlite_url)) as (client, app):
        fail_at(app, "/boom")
        answer = client.get("/boom")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "kaboom" not in answer.text
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (error,) = [line for line in lines if line["level"] == "error"]
    assert error["exception"]["type"] == "builtins.RuntimeError"
    assert error["exception"]["message"] == "kaboom"
    assert error["request_id"] == answer.json()["error"]["request_id"]


def test_sec001_the_driver_s_text_which_quotes_rows_is_not_logged(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(development(sqlite_url)) as (client, app):

        @app.get("/duplicate")
        def duplicate() -> None:
            with app.state.database.engine.begin() as connection:
                connection.execute(text("INSERT INTO people (id) VALUES (:value)"), {"value": "ROWMARKER"})

        answer = client.get("/duplicate")
    assert answer.status_code == 409
    out = capsys.readouterr().out
    assert "IntegrityError" in out
    for inside in ("ROWMARKER", "NOT NULL", "INSERT"):
        assert inside not in out
        assert inside not in answer.text


def fail_at(app: FastAPI, path: str) -> None:
    @app.get(path)
    def boom() -> None:
        raise RuntimeError("kaboom")


def test_metrics_by_route_template_and_not_from_outside(sqlite_url: str) -> None:
    with serving(development(sqlite_url, APP_VERSION="9.8.7")) as (client, _):
        organization = Organization(client)
        client.get(f"/api/v1/events/{organization.event()}", headers=organization.admin)
        shown = client.get("/metrics")
        assert client.get("/metrics", headers={"X-Forwarded-For": "198.51.100.7"}).status_code == 404
    assert shown.headers["Content-Type"].startswith("text/plain")
    for line in (
        'signupflow_http_requests_total{method="GET",route="/api/v1/events/{event_id}",status="200"} 1.0',
        'signupflow_http_request_duration_seconds_count{method="POST",route="/api/v1/events"} 1.0',
        'signupflow_build_info{revision="unknown",version="9.8.7"} 1.0',
        'signupflow_db_pool_connections{state="max"} 6.0',
    ):
        assert line in shown.text
