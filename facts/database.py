"""What PostgreSQL says of its roles and its schema."""

from __future__ import annotations

from pyinfra.api import FactBase, QuoteString, StringCommand

CONTAINER = "signupflow-postgres"
PSQL = f"docker exec -i -u postgres {CONTAINER} psql -X -At -v ON_ERROR_STOP=1"


class RoleDigests(FactBase[dict[str, str]]):
    """Role name to the keyed digest kept as its comment; empty when the server does not answer."""

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def requires_command(self, database: str) -> str:
        return "docker"

    def command(self, database: str) -> StringCommand:
        query = (
            "select rolname || ' ' || coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles"
            f" where rolname like '{database}\\_%' and exists (select from pg_database where datname = '{database}')"
        )
        return StringCommand(PSQL, "-d postgres -c", QuoteString(query), "2>/dev/null || true")

    def process(self, output: list[str]) -> dict[str, str]:
        return {line.partition(" ")[0]: line.partition(" ")[2] for line in output if line}


class SchemaRevision(FactBase[str]):
    """The Alembic revision that a database is at; empty when it has none or does not answer."""

    @staticmethod
    def default() -> str:
        return ""

    def requires_command(self, database: str) -> str:
        return "docker"

    def command(self, database: str) -> StringCommand:
        query = "select string_agg(version_num, ',' order by version_num) from alembic_version"
        return StringCommand(PSQL, "-d", QuoteString(database), "-c", QuoteString(query), "2>/dev/null || true")

    def process(self, output: list[str]) -> str:
        return output[0].strip()
