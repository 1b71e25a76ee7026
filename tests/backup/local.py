"""A PostgreSQL of this machine in the place of the one in a host's container, as the backup commands ask it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from backup.server import CommandError, Done
from tests.app.harness import Postgres, postgres_binaries, running_postgres

NAME = "signupflow-postgres"


@dataclass
class Local:
    """What `backup.server.Server` does, with a real server behind it."""

    server: Postgres
    url: str
    name: str = NAME
    running: bool = True
    client: Any = None

    def psql(self, sql: str, database: str = "postgres") -> str:
        try:
            with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                cursor.execute(sql)
                rows = cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            raise CommandError(1, str(error)) from None
        return "\n".join("|".join(_printed(value) for value in row) for row in rows)

    def run(self, argv: Sequence[str], *_: Any, **__: Any) -> Done:
        path = f"{postgres_binaries()}:/usr/bin:/bin"
        done = subprocess.run(list(argv), capture_output=True, text=True, env={"PATH": path}, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def data(self) -> Path:
        return Path(self.psql("show data_directory"))


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return "" if value is None else str(value)


@contextmanager
def local(*settings: str) -> Iterator[Local]:
    """A server for as long as it is wanted, with these settings."""
    with running_postgres() as server:
        if settings:
            server.stop()
            server.start("UTC", *settings)
        yield Local(server, server.create("signupflow"))
