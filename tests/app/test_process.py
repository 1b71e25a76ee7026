"""The process as a container runs it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn

from app.main import create_app
from app.server import DrainingServer
from app.settings import Settings
from app.stream.publish import Change
from lab.waiting import wait_for
from tests.app.harness import ROOT, Organization, development, free_port, production

pytestmark = pytest.mark.slow


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def running(environment: dict[str, str], module: str = "app") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and its address once it is ready. Its output goes nowhere: a full pipe would stop it."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT}/tests/faults", "PORT": str(port), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            wait_until(lambda: healthcheck(port) == 0)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def wait_until(check: Callable[[], bool], seconds: float = 60) -> None:
    wait_for(check, seconds, "it never came", every=0.02)


def healthcheck(port: int) -> int:
    environment = {"PATH": os.environ["PATH"], "PORT": str(port)}
    return subprocess.run([sys.executable, "-m", "app.healthcheck"], cwd=ROOT, env=environment, check=False).returncode


def test_fr029_bad_settings_end_the_process_before_it_listens() -> None:
    port = free_port()
    process = start(production(PORT=str(port), JWT_KEYS="k1:changeme", ALLOWED_HOSTS=None))
    out, err = process.communicate(timeout=20)
    assert process.returncode == 78
    assert out == ""
    assert "2 fault(s)" in err
    assert "JWT_KEYS" in err
    assert "ALLOWED_HOSTS" in err
    assert "Traceback" not in err
    assert "changeme" not in err


def test_us1_4_production_without_its_settings_never_starts_as_development() -> None:
    process = start({})
    _, err = process.communicate(timeout=20)
    assert process.returncode == 78
    assert "APP_ENV is required" in err


def test_fr027_sigterm_ends_it_in_order_and_the_health_check_tells(sqlite_url: str) -> None:
    port = free_port()
    assert healthcheck(port) == 1
    process = start(development(sqlite_url, PORT=str(port)))
    try:
        wait_until(lambda: healthcheck(port) == 0)
        answer = httpx.get(f"http://127.0.0.1:{port}/health/ready")
        assert answer.status_code == 200
        assert "server" not in answer.headers
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == ""
    assert "Application shutdown complete." in out


def test_fr027_not_ready_from_the_moment_of_sigterm_but_still_serving(sqlite_url: str) -> None:
    port = free_port()
    process = start(development(sqlite_url, PORT=str(port), DRAIN_SECONDS="2"))
    try:
        wait_until(lambda: healthcheck(port) == 0)
        body = b"{}"
        with socket.create_connection(("127.0.0.1", port)) as in_flight:
            in_flight.sendall(b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 503
            assert httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
            time.sleep(2.2)  # the listener is closed now; what is in flight still gets its answer
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://127.0.0.1:{port}/")
            in_flight.sendall(body)
            assert b" 422 " in in_flight.recv(65536)
        process.communicate(timeout=5)
    finally:
        process.kill()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_fr027_sigterm_with_a_slow_request_a_download_and_an_open_stream(sqlite_url: str) -> None:
    settings = development(sqlite_url, DRAIN_SECONDS="1", SHUTDOWN_GRACE="20")
    with running(settings, "faults") as (process, address), httpx.Client(base_url=address, timeout=30) as client:
        organization = Organization(client)
        stream: list[str] = []
        streaming, receiving, slow_began = threading.Event(), threading.Event(), threading.Event()

        def listen() -> None:
            with httpx.stream("GET", f"{address}/api/v1/stream", headers=organization.admin, timeout=30) as answer:
                for line in answer.iter_lines():
                    stream.append(line)
                    streaming.set()

        def download() -> int:
            size = 0
            with httpx.stream("GET", f"{address}/faults/download?megabytes=50", timeout=30) as answer:
                for piece in answer.iter_raw(65536):
                    size += len(piece)
                    receiving.set()
                    if size < 20_000_000:
                        closing.wait(20)  # most of it comes after the listener has closed
            return size

        def slow() -> int:
            slow_began.set()
            return httpx.get(f"{address}/faults/slow?seconds=5", timeout=30).status_code

        def refused() -> bool:
            with contextlib.suppress(httpx.ConnectError):
                httpx.get(f"{address}/health/live")
                return False
            return True

        closing = threading.Event()
        with ThreadPoolExecutor(3) as pool:
            listened, slept, downloaded = pool.submit(listen), pool.submit(slow), pool.submit(download)
            for began in (streaming, receiving, slow_began):
                assert began.wait(20)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: client.get("/health/ready").status_code == 503)
            assert "event: bye" not in stream  # it would connect again to this same process
            wait_until(refused)
            closing.set()
            listened.result(20)  # ends without an error: the last chunk came
            assert slept.result(20) == 200
            assert downloaded.result(20) == 50 * 1024 * 1024
        assert process.wait(20) == 0
    assert stream[-4:-2] == ["event: bye", "data: {}"] or stream[-3:-1] == ["event: bye", "data: {}"]
    retry = next(line for line in reversed(stream) if line.startswith("retry: "))
    assert 1000 <= int(retry.removeprefix("retry: ")) <= 3000


def test_fr027_a_stream_that_takes_nothing_does_not_hold_the_process(sqlite_url: str) -> None:
    settings = Settings.from_environment(development(sqlite_url))
    app, port = create_app(settings), free_port()
    config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=60)
    server = DrainingServer(config, app.state.lifecycle, app.state.hub, drain_seconds=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client, socket.socket() as deaf:
            organization = Organization(client)
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            token = organization.admin["Authorization"]
            deaf.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
            wait_until(lambda: app.state.hub.open == 1)
            (subscription,) = app.state.hub._subscriptions[organization.id]
            change = Change(organization.id, "e" * 4000, "changed")
            loop = server.servers[0].get_loop()
            # Once its queue fills, the server is stuck in sending to it.
            while subscription._queue.qsize() < 10:
                loop.call_soon_threadsafe(app.state.hub.deliver, change)
                time.sleep(0.0005)
            server.handle_exit(signal.SIGTERM, None)
            thread.join(20)
            assert not thread.is_alive()  # well before the grace of 60 s
    finally:
        server.force_exit = server.should_exit = True
        thread.join(20)


def test_the_faults_are_in_the_test_image_only() -> None:
    for path in [*(ROOT / "app").rglob("*.py"), ROOT / "Dockerfile", ROOT / ".dockerignore"]:
        assert not re.search(r"/faults|import faults|from faults|tests/", path.read_text()), path
    assert "!tests" not in (ROOT / ".dockerignore").read_text()


def test_faults_at_the_start(sqlite_url: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT}/tests/faults"} | development(sqlite_url)
    command = [sys.executable, "-m", "faults"]
    assert subprocess.run(command, cwd=ROOT, env=environment | {"FAULTS_AT_START": "exit"}, check=False).returncode == 3
    with subprocess.Popen(command, cwd=ROOT, env=environment | {"FAULTS_AT_START": "hang"}) as hanging:
        with pytest.raises(subprocess.TimeoutExpired):
            hanging.wait(2)
        hanging.kill()
    with running(development(sqlite_url, FAULTS_AT_START="unready"), "faults") as (_, address):
        assert httpx.get(f"{address}/health/ready").status_code == 503


def test_faults_on_command(sqlite_url: str) -> None:
    settings = development(sqlite_url)
    with running(settings, "faults") as (process, address), httpx.Client(base_url=address, timeout=30) as client:
        assert client.get("/faults/error").json()["error"]["code"] == "internal_error"
        assert client.get("/faults/status?code=502").status_code == 502
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/faults/cut")
        for command, status in (("unready", 503), ("ready", 200)):
            assert client.post(f"/faults/{command}").status_code == 200
            assert client.get("/health/ready").status_code == status
        assert client.post("/faults/hog?megabytes=10").json()["kept"] == 10 * 1024 * 1024
        assert client.post("/faults/block?seconds=0.1").status_code == 200
        assert client.get("/login").status_code == 200
        client.post("/faults/ignore-sigterm")
        process.send_signal(signal.SIGTERM)
        assert client.get("/health/ready").status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            client.post("/faults/exit?code=7")
        assert process.wait(20) == 7


@pytest.mark.parametrize("module", ["sqlalchemy", "fastapi", "pydantic", "uvicorn"])
def test_fr018_the_health_check_imports_next_to_nothing(module: str) -> None:
    code = f"import sys, app.healthcheck; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
