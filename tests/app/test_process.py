"""The process as a container runs it."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from tests.app.harness import ROOT, development, free_port, production


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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
        deadline = time.monotonic() + 20
        while healthcheck(port) != 0:
            assert time.monotonic() < deadline
        answer = httpx.get(f"http://127.0.0.1:{port}/health/ready")
        assert answer.status_code == 200
        assert "server" not in answer.headers
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode in {0, -signal.SIGTERM}
    assert err == ""
    assert "Application shutdown complete." in out


def test_fr027_not_ready_from_the_moment_of_sigterm_but_still_serving(sqlite_url: str) -> None:
    port = free_port()
    process = start(development(sqlite_url, PORT=str(port), DRAIN_SECONDS="2"))
    try:
        deadline = time.monotonic() + 20
        while healthcheck(port) != 0:
            assert time.monotonic() < deadline
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
    assert process.returncode in {0, -signal.SIGTERM}


@pytest.mark.parametrize("module", ["sqlalchemy", "fastapi", "pydantic", "uvicorn"])
def test_fr018_the_health_check_imports_next_to_nothing(module: str) -> None:
    code = f"import sys, app.healthcheck; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
