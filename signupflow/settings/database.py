"""The database."""

from __future__ import annotations

from pydantic import Field

from signupflow.settings.forms import Image, Size, Slug, Topic


class Database(Topic):
    """The database"""

    postgres_image: Image = Field(
        default="signupflow/postgres:17",
        description="PostgreSQL image: built here and sent over SSH, or pinned by digest.",
    )
    postgres_database: Slug = Field(default="signupflow", description="Database name; also the stem of its roles.")
    postgres_max_connections: int = Field(default=100, ge=20, le=1000, description="PostgreSQL's max_connections.")
    postgres_memory: Size = Field(default="1g", description="Memory limit of the PostgreSQL container.")
