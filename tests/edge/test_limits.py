"""What one client can take of the edge, with the real Traefik: `tests/proofs/attack.py` asks the same of a lab's."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import yaml

from deploys import traefik
from lab.client import ROOT
from lab.waiting import wait_for
from signupflow.settings.edge import Edge
from tests.edge.asking import Connection, ask
from tests.edge.attack import BODY, WAYS
from tests.edge.backend import Backend
from tests.edge.traefik import DOMAIN, SETTINGS, Traefik
from tests.evidence.plugin import Evidence, Short
from tests.proofs import attack

pytestmark = pytest.mark.slow

STRANGER, CLIENT = "127.0.0.9", "127.0.0.2"


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as found:
        yield found


def held(edge: Traefik, stack: ExitStack, count: int, source: str = STRANGER, body: int = 0) -> None:
    """So many uploads, each of which lacks its end."""
    for _ in range(count):
        connection = stack.enter_context(closing(Connection(edge, source)))
        connection.putrequest("PUT", "/held")
        connection.putheader("Content-Length", str(BODY))
        connection.endheaders()
        connection.send(b"x" * body)


def test_d1_nothing_is_kept_of_what_is_sent(backend: Backend, tmp_path: Path) -> None:
    """Not for a retry and not for anything else: 150 uploads of 2 MB that lack their last byte."""
    with Traefik(tmp_path / "edge", [backend.url]) as edge, ExitStack() as stack:
        assert ask(edge, "/", source=CLIENT)[0] == 200
        before, began = edge.memory_mb(), backend.executed["PUT /held"]
        held(edge, stack, 150, body=BODY - 1)
        wait_for(lambda: backend.executed["PUT /held"] - began == 150, 60, "not all uploads reached the app")
        assert ask(edge, "/", source=CLIENT)[0] == 200
        assert edge.memory_mb() - before < 100


def test_d1_one_address_has_so_many_requests_in_flight_and_the_others_theirs(backend: Backend, tmp_path: Path) -> None:
    with Traefik(tmp_path / "edge", [backend.url], edge_requests_in_flight=10) as edge, ExitStack() as stack:
        began = backend.executed["PUT /held"]
        held(edge, stack, 10)
        wait_for(lambda: backend.executed["PUT /held"] - began == 10, 30, "not all uploads reached the app")
        assert ask(edge, "/", source=STRANGER)[0] == 429
        assert ask(edge, "/", source=CLIENT)[0] == 200
        stack.close()
        wait_for(lambda: ask(edge, "/", source=STRANGER)[0] == 200, 30, "what has ended still counts")


@pytest.mark.parametrize("way", WAYS)
def test_d1_others_are_served_whatever_one_address_sends(way: str, backend: Backend, tmp_path: Path) -> None:
    """300 connections held open in the ways that cost most; `make prove LINE=attack` does it with 1,000, on a host."""
    with Traefik(tmp_path / "edge", [backend.url]) as edge:
        arguments = (way, "127.0.0.1", str(edge.port), DOMAIN, "300", "6")
        command = [sys.executable, "-m", "tests.edge.attack", *arguments]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as attack:
            answers = []
            while attack.poll() is None:
                answers.append(ask(edge, "/", source=CLIENT)[0])
                time.sleep(0.05)
            assert attack.stdout is not None
            counted = json.loads(attack.stdout.read())
        assert counted["connected"] > 100, "it was an attack"
        assert set(answers) == {200}
        assert len(answers) > 10
        assert edge.memory_mb() < 384, "what its container may have"
        assert edge.process.poll() is None


def test_d1_headers_are_small(backend: Backend, tmp_path: Path) -> None:
    with Traefik(tmp_path / "edge", [backend.url]) as edge:
        assert ask(edge, "/", headers={"X-Filling": "x" * 16_000})[0] == 200
        assert ask(edge, "/", headers={"X-Filling": "x" * 64_000})[0] == 431


def test_d3_an_upload_may_take_its_time_and_a_request_that_never_comes_may_not(backend: Backend, tmp_path: Path) -> None:
    """The limits are settings: 10 s stand for the 10 min that they are by default."""
    with ExitStack() as stack:
        edge = stack.enter_context(Traefik(tmp_path / "edge", [backend.url], edge_read_seconds=10, response_seconds=1))
        upload, slow = stack.enter_context(closing(Connection(edge))), stack.enter_context(closing(_raw(edge)))
        slow.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n".encode())
        began = time.monotonic()
        upload.putrequest("PUT", "/upload")
        upload.putheader("Content-Length", "60")
        upload.endheaders()
        for _ in range(6):
            upload.send(b"x" * 10)
            time.sleep(1)  # what is tried is slowness; `app_response_seconds` is the shorter time
        assert upload.getresponse().read() == b"60"
        slow.settimeout(60)
        assert slow.recv(100)[:12] in (b"", b"HTTP/1.1 408", b"HTTP/1.1 400")
        assert time.monotonic() - began >= 9


@pytest.mark.proof("attack", part="upload")
def test_d3_an_upload_of_five_minutes_arrives(tmp_path: Path, short: Short, evidence: Evidence) -> None:
    evidence(attack.an_upload_arrives(tmp_path / "edge", **short(seconds=5)))


def test_d3_by_default_an_upload_has_ten_minutes_and_port_80_ten_seconds() -> None:
    points = yaml.safe_load(traefik.static(Edge(**SETTINGS)))["entryPoints"]
    times = {
        name: point["transport"]["respondingTimeouts"]["readTimeout"] for name, point in points.items() if "transport" in point
    }
    assert times == {"web": "10s", "websecure": "600s"}


def _raw(edge: Traefik) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", edge.port), 30)
    return edge.tls.wrap_socket(raw, server_hostname=DOMAIN)
