"""An old service on SQLite, until deploys/migrate_sqlite.py has moved it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from signupflow.settings.forms import OneLine, Topic, form


class OldService(Topic):
    """An old service on SQLite, until it is moved"""

    legacy_sqlite_file: Annotated[
        str, form(r"^(/[A-Za-z0-9/_. -]*[A-Za-z0-9_.-])?$", "{} is not the absolute path of a file")
    ] = Field(
        default="", description="The old service's database on the database's host; until it is moved, nothing else is released."
    )
    legacy_upstream: Annotated[
        str, form(r"^(https?://[A-Za-z0-9._-]+(:[0-9]+)?)?$", "{} is not a URL such as http://172.17.0.1:8000")
    ] = Field(
        default="",
        description="Where Traefik reaches the old service, such as http://172.17.0.1:8000 (the host, from a container).",
    )
    legacy_stop: OneLine = Field(
        default="", description="Shell command (root, the database's host) that stops it; it waits, and may run twice."
    )
    legacy_start: OneLine = Field(default="", description="Shell command that starts it again; it may run twice.")
    legacy_decisions: tuple[Literal["quarantine-orphans", "ignore-empty", "zoned-as-utc"], ...] = Field(
        default=(), description="What the import may decide by itself (DATABASE_MIGRATION.md)."
    )

    @model_validator(mode="after")
    def _whole_or_not_at_all(self) -> OldService:
        others = {name: getattr(self, name) for name in ("legacy_upstream", "legacy_stop", "legacy_start")}
        missing = sorted(name for name, value in others.items() if not value)
        if self.legacy_sqlite_file and missing:
            raise ValueError(f"legacy_sqlite_file needs {', '.join(missing)}")
        return self
