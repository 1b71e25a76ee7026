"""People are told how a deployment ended, by whom it may concern; never with a secret, and never at the deployment's cost."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from operations.hooks import called
from signupflow import notify
from signupflow.channels import Channels, Mail
from tests.deploy.test_report import RECORD


class Sink(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def sink() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Sink)
    server.bodies, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/services/MARKERTOKEN"


def test_us3_5_a_webhook_is_told_what_failed_and_where(sink: HTTPServer) -> None:
    failed = dataclasses.replace(RECORD, outcome="failed", why="web2: no health", taken_back=("web1",), hosts=("web1",))
    assert notify.send(failed, "production", Channels(url(sink))) == []
    (told,) = sink.bodies
    assert told["text"].startswith("*production: release 2.0 failed*\nweb2: no health\n")
    for word in ("ada@desk", "taken back: web1", "0 failed of 300"):
        assert word in told["text"]
    assert notify.subject(RECORD, "production") == "production: release 2.0 succeeded"


def test_sec001_a_notification_that_fails_says_so_without_the_secret_url(sink: HTTPServer) -> None:
    sink.status = 403
    problems = notify.send(RECORD, "production", Channels(url(sink), Mail(("ops@example.org",), host="127.0.0.1", port=1)))
    problems += notify.send(RECORD, "production", Channels("http://127.0.0.1:1/MARKERTOKEN"))
    problems += notify.send(RECORD, "production", Channels("no url MARKERTOKEN"))
    assert problems[0] == "the webhook answered 403"
    assert problems[1].startswith("mail could not be sent by 127.0.0.1:1: ")
    assert len(problems) == 4
    assert "MARKERTOKEN" not in "".join(problems)
    assert "MARKERTOKEN" not in repr(Channels(url(sink), Mail(password="MARKERTOKEN")))


def test_us3_5_a_hook_learns_of_the_run_and_its_failure_is_named() -> None:
    assert called("before", 'test "$SIGNUPFLOW_VERSION" = 2.0', {"VERSION": "2.0"}) == ""
    assert called("before", "exit 3", {}) == "the hook before exited 3: exit 3"
