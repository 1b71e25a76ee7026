"""A migrated SQLite file with rows, a real PostgreSQL server, and empty databases with the same schema."""

from __future__ import annotations

import difflib
import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.app.harness import Postgres, postgres_binaries, run_alembic, running_postgres
from tests.sqlite_import import files

TEMPLATE = "built"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def good_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the real one's shape; copied, never written to."""
    path = tmp_path_factory.mktemp("good") / "good.sqlite"
    result = run_alembic(f"sqlite:///{path}", "upgrade", "head")
    assert result.returncode == 0, result.stderr
    files.fill(path)
    return path


@pytest.fixture
def source(good_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(good_file, tmp_path / "source.sqlite"))


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with running_postgres() as server:
        result = run_alembic(server.create(TEMPLATE), "upgrade", "head")
        assert result.returncode == 0, result.stderr
        yield server


@pytest.fixture
def new_target(server: Postgres) -> Callable[[], str]:
    """Makes an empty database with the schema; gives its URL."""

    def make() -> str:
        return server.create(f"target_{next(_numbers)}", TEMPLATE)

    return make


@pytest.fixture
def target(new_target: Callable[[], str]) -> str:
    return new_target()


def asked(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url, options="-c timezone=UTC")) as connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        found = list(cursor.fetchall()) if cursor.description else []
        connection.commit()
        return found


def dump(url: str) -> bytes:
    """Everything in a database as SQL: schema, rows, sequences."""
    program = postgres_binaries() / "pg_dump"
    made = subprocess.run([program, url], capture_output=True, check=True).stdout
    # Newer clients frame a dump by a word of the day.
    return b"\n".join(line for line in made.splitlines() if not line.startswith((b"\\restrict", b"\\unrestrict")))


def assert_same(url: str, before: bytes) -> None:
    """The database is what it was; the lines that differ are shown when it is not, and no more than twenty of them."""
    now = dump(url)
    if now != before:
        changed = difflib.unified_diff(before.decode().splitlines(), now.decode().splitlines(), lineterm="", n=0)
        pytest.fail("the target has changed:\n" + "\n".join(line[:200] for line in itertools.islice(changed, 20)), pytrace=False)
