"""Fixtures of the application's tests. Databases are made once by the real migration and copied."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import security
from tests.app.harness import Postgres, development, run_alembic, running_postgres, serving


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "ROUNDS", 4)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    result = run_alembic(f"sqlite:///{path}", "upgrade", "head")
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "app.sqlite")
    return f"sqlite:///{tmp_path / 'app.sqlite'}"


@pytest.fixture
def client(sqlite_url: str) -> Iterator[httpx.Client]:
    with serving(development(sqlite_url)) as (client, _):
        yield client


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    url = postgres.create("signupflow")
    result = run_alembic(url, "upgrade", "head")
    assert result.returncode == 0, result.stderr
    return url
