"""Unexpected errors are reported, without anything about a person, and at no cost to requests."""

import contextlib
import gzip
import json
import secrets
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi import FastAPI, Request
from sqlalchemy import text

from app.errors import ApiError
from lab.waiting import wait_for
from tests.app.harness import PASSWORD, Organization, development, serving

KEY = "3f9c1e7ab5d2486f903f9c1e7ab5d248"

# Made here, so that no source line, which events do hold, has one.
MARKERS = {
    name: f"marker-{secrets.token_hex(8)}"
    for name in ("organisation", "cookie", "agent", "header", "body", "path", "query", "row")
}


class Sink:
    """A small server that keeps what it is sent: `raw`, headers included, and the events in it."""

    def __init__(self) -> None:
        self.raw: list[str] = []
        self.events: list[dict[str, Any]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                elif self.headers.get("Content-Encoding"):
                    body = zlib.decompress(body)
                lines = [json.loads(line) for line in body.decode().splitlines() if line]
                sink.raw.append(f"{self.requestline}\n{self.headers}\n{json.dumps(lines, ensure_ascii=False)}")
                sink.events += [line for line in lines if "exception" in line]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://{KEY}@127.0.0.1:{self.server.server_port}/7"

    def wait(self, events: int) -> None:
        wait_for(lambda: len(self.events) >= events, 60, f"{events} events never came", every=0.01)


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    thread = threading.Thread(target=sink.server.serve_forever, args=(0.01,))
    thread.start()
    yield sink
    sink.server.shutdown()
    thread.join()
    sink.server.server_close()


def fail_with_everything(app: FastAPI) -> None:
    """Routes that fail with personal data in messages, variables, causes and the driver's text."""

    @app.post("/boom/{name}")
    async def boom(name: str, request: Request) -> None:
        body = await request.json()
        password = body["password"]
        try:
            raise KeyError(f"{name} {body['email']} {password}")
        except KeyError as error:
            raise RuntimeError(f"no place for {body['email']} with {request.headers['authorization']}") from error

    @app.get("/driver")
    def driver() -> None:
        with app.state.database.engine.begin() as connection:
            connection.execute(text("SELECT * FROM no_table WHERE name = :n"), {"n": MARKERS["row"]})

    @app.get("/refused")
    def refused() -> None:
        raise ApiError(409, "conflict")


def test_fr021_unexpected_errors_are_reported_without_anything_about_a_person(sqlite_url: str, sink: Sink) -> None:
    changes = {"SENTRY_DSN": sink.dsn, "APP_VERSION": "9.8.7", "TRUSTED_PROXIES": "127.0.0.0/8"}
    with serving(development(sqlite_url, **changes)) as (client, app):
        fail_with_everything(app)
        organization = Organization(client, MARKERS["organisation"])
        token = organization.admin["Authorization"].removeprefix("Bearer ")
        headers = organization.admin | {
            "Cookie": f"session={MARKERS['cookie']}",
            "User-Agent": MARKERS["agent"],
            "X-Forwarded-For": "198.51.100.77",
            "X-Api-Key": MARKERS["header"],
        }
        body = {"email": organization.email, "password": PASSWORD, "note": MARKERS["body"]}
        answer = client.post(f"/boom/{MARKERS['path']}?q={MARKERS['query']}", headers=headers, json=body)
        assert answer.status_code == 500
        assert client.get("/driver", headers=headers).status_code == 500
        assert client.get("/refused", headers=headers).status_code == 409
        assert client.get("/nope").status_code == 404
        sink.wait(2)
    boom, driver = sorted(sink.events, key=lambda event: str(event["transaction"]))
    assert (boom["transaction"], driver["transaction"]) == ("/boom/{name}", "/driver")
    assert (boom["release"], boom["environment"], boom["level"]) == ("9.8.7", "development", "error")
    assert boom["tags"] == {"method": "POST", "request_id": answer.headers["X-Request-Id"]}
    assert [value["type"] for value in boom["exception"]["values"]] == ["KeyError", "RuntimeError"]
    frames = boom["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "boom"
    assert "OperationalError" in {value["type"] for value in driver["exception"]["values"]}
    received = "\n".join(sink.raw)
    for control in (KEY, "9.8.7", "RuntimeError", answer.headers["X-Request-Id"]):
        assert control in received  # the search looks at what came
    for marker in (organization.email, PASSWORD, token, "198.51.100.77", organization.id, "Ann", *MARKERS.values()):
        assert marker not in received
    assert "no such table" not in received  # the driver's text


def test_fr021_the_organisation_is_a_tag_and_what_somebody_typed_is_not(sqlite_url: str, sink: Sink) -> None:
    with serving(development(sqlite_url, SENTRY_DSN=sink.dsn)) as (client, app):
        organization = Organization(client)
        app.state.database.tenant = None  # breaks every route
        client.get("/api/v1/people", headers=organization.admin)
        sink.wait(1)
        typed = {"organization": "somebody@x.org", "email": "x@x.org", "password": "x"}
        client.post("/api/v1/sessions", json=typed)
        sink.wait(2)
    assert sink.events[0]["tags"]["org_id"] == organization.id
    assert sink.events[0]["transaction"] == "/api/v1/people"
    assert "org_id" not in sink.events[1]["tags"]
    assert "somebody@x.org" not in str(sink.raw)


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """An endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://{KEY}@127.0.0.1:{listener.getsockname()[1]}/7"


@pytest.mark.slow
def test_fr021_an_endpoint_that_is_away_costs_requests_nothing(sqlite_url: str) -> None:
    """Beside the same without one: requests that wait for the endpoint would take minutes for each second."""

    def seconds(dsn: str) -> tuple[float, float]:
        """For 200 failing requests, more than the queue holds, and for the server's stop."""
        with serving(development(sqlite_url, **({"SENTRY_DSN": dsn} if dsn else {}))) as (client, app):
            fail_with_everything(app)
            began = time.monotonic()
            for _ in range(200):
                assert client.get("/driver").status_code == 500
            assert client.get("/health/live").status_code == 200
            leaving = time.monotonic()
        return leaving - began, time.monotonic() - leaving

    requests, stop = seconds("")
    with black_hole() as hanging:
        for dsn in (f"http://{KEY}@127.0.0.1:9/7", hanging):
            for _ in range(3):
                asked, left = seconds(dsn)
                if asked < 5 + 10 * requests and left < 5 + 10 * stop:  # two seconds of it are for flushing
                    break
            else:
                raise AssertionError(f"{asked:.1f} and {left:.1f} s; without an endpoint {requests:.1f} and {stop:.1f}")


def test_fr021_without_a_dsn_nothing_is_sent(sqlite_url: str) -> None:
    threads = set(threading.enumerate())
    with serving(development(sqlite_url)) as (client, app):
        fail_with_everything(app)
        assert client.get("/driver").status_code == 500
        assert not [thread for thread in set(threading.enumerate()) - threads if "sentry" in thread.name]
