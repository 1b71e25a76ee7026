"""What the application's tests share: environments, a real server in a thread, and databases."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from lab.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
REAL_FILE = ROOT.parent / "shared" / "data" / "signupflow.sqlite"
REAL_SCHEMA = Path(__file__).with_name("real_schema.sql")
HEAD = "b4e6f8a2c5d3"
ROOM_BYTES = 4 << 30
PASSWORD = "correct horse battery"
JWT_KEY = "k1:6d1f0b8e3a9c47529e8d5b7c1f02a364e97b85d0c3"


def production(**changes: str | None) -> dict[str, str]:
    """An environment that production accepts, with `changes` (None removes)."""
    environment: dict[str, str | None] = {
        "APP_ENV": "production",
        "DATABASE_URL": "postgresql://app:3f9c1e7ab5d2486f90@127.0.0.1:1/signupflow",
        "JWT_KEYS": JWT_KEY,
        "ALLOWED_HOSTS": "app.test,*.volunteers.test,127.0.0.1",
        "APP_VERSION": "1.4.0",
        "APP_REVISION": "91c1e0a",
        "DATA_DIR": "/tmp",
    }
    environment |= changes
    return {name: value for name, value in environment.items() if value is not None}


def development(database_url: str, **changes: str) -> dict[str, str]:
    return {"APP_ENV": "development", "DATABASE_URL": database_url, "DATA_DIR": "/tmp", **changes}


def run_alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As the migration command runs: nothing in the environment but the database."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[tuple[httpx.Client, FastAPI]]:
    """A client of a real server (uvicorn, real sockets) that runs in this process."""
    app = create_app(Settings.from_environment(environment))
    port = free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, 60, "the server does not start", every=0.01)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15) as client:
            yield client, app
    finally:
        server.should_exit = True
        thread.join(10)


class Organization:
    """One organisation with an administrator, made through the API."""

    def __init__(self, client: httpx.Client, name: str = "Grace Church") -> None:
        self.client = client
        self.email = f"admin-{secrets.token_hex(4)}@x.org"
        admin = {"name": "Ann", "email": self.email, "password": PASSWORD}
        made = client.post("/api/v1/organizations", json={"name": name, "admin": admin})
        assert made.status_code == 201, made.text
        self.id = made.json()["organization"]["id"]
        self.admin_id = made.json()["admin"]["id"]
        self.admin = self.sign_in(self.email)

    def sign_in(self, email: str, password: str = PASSWORD) -> dict[str, str]:
        answer = self.client.post("/api/v1/sessions", json={"organization": self.id, "email": email, "password": password})
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def volunteer(self) -> dict[str, str]:
        email = f"v-{secrets.token_hex(4)}@x.org"
        wanted = {"name": "Vera", "email": email, "password": PASSWORD, "roles": ["usher"]}
        made = self.client.post("/api/v1/people", headers=self.admin, json=wanted)
        assert made.status_code == 201, made.text
        return self.sign_in(email)

    def event(self) -> str:
        wanted = {"type": "service", "start_time": "2027-01-03T09:00:00Z", "end_time": "2027-01-03T11:00:00Z"}
        made = self.client.post("/api/v1/events", headers=self.admin, json=wanted)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


class Postgres:
    """A PostgreSQL server of the test's own that can be stopped and started. `url(database)` for its databases."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self._directory, self._binaries, self._port = directory, binaries, free_port()
        shutil.chown(directory, "postgres")
        self._run("initdb", "-D", f"{directory}/data", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    def start(self, zone: str = "America/New_York", *settings: str) -> None:
        options = f"-p {self._port} -k {self._directory} -c listen_addresses=127.0.0.1 -c fsync=off -c timezone={zone}"
        options = " ".join((options, *(f"-c {setting}" for setting in settings)))
        log = f"{self._directory}/log"
        self._run("pg_ctl", "-D", f"{self._directory}/data", "-o", options, "-l", log, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", f"{self._directory}/data", "-m", mode, "-w", "stop")

    def create(self, database: str, template: str = "template1", *options: str) -> str:
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-T", template, *options, database)
        return f"postgresql://postgres:3f9c1e7ab5d2486f90@127.0.0.1:{self._port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        command = [*as_postgres, str(self._binaries / program), *arguments]
        result = subprocess.run(
            command,
            cwd="/tmp",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, f"{program}: {result.stderr.decode()}"


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server for as long as it is wanted."""
    binaries = postgres_binaries()
    # Not pytest's own directory: its parents are closed to the user postgres. In memory, for many small files.
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES else None
    with tempfile.TemporaryDirectory(prefix="signupflow-pg-", dir=where) as directory:
        Path(directory).chmod(0o755)
        server = Postgres(Path(directory), binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    message = "no PostgreSQL server binaries under /usr/lib/postgresql: apt-get install postgresql"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
