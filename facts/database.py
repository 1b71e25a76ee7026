"""What PostgreSQL says of its roles and its schema."""

from __future__ import annotations

from pyinfra.api import FactBase, QuoteString, StringCommand

from signupflow.shared.places import POSTGRES, POSTGRES_DATA

PSQL = f"docker exec -i -u postgres {POSTGRES} psql -X -At -v ON_ERROR_STOP=1"


# Printed in the place of an answer: there is a cluster on this host, but its server does not answer.
SILENT = f"|| {{ test -e {POSTGRES_DATA}/cluster/PG_VERSION && echo '?'; true; }}"


class RoleDigests(FactBase[dict[str, str] | None]):
    """Role name to the keyed digest kept as its comment; None when there is a cluster that does not answer."""

    @staticmethod
    def default() -> dict[str, str] | None:
        return {}

    def requires_command(self, database: str) -> str:
        return "docker"

    def command(self, database: str) -> StringCommand:
        query = (
            "select rolname || ' ' || coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles"
            f" where rolname like '{database}\\_%' and exists (select from pg_database where datname = '{database}')"
        )
        return StringCommand(PSQL, "-d postgres -c", QuoteString(query), "2>/dev/null", SILENT)

    def process(self, output: list[str]) -> dict[str, str] | None:
        if output == ["?"]:
            return None
        return {line.partition(" ")[0]: line.partition(" ")[2] for line in output if line}


class SchemaRevision(FactBase[str | None]):
    """The Alembic revision a database is at, empty when it has none; None when there is a cluster that does not answer."""

    @staticmethod
    def default() -> str | None:
        return ""

    def requires_command(self, database: str) -> str:
        return "docker"

    def command(self, database: str) -> StringCommand:
        # Two questions, because asking a table that does not exist is an error like any other.
        exists = "select to_regclass('public.alembic_version') is not null"
        query = "select string_agg(version_num, ',' order by version_num) from alembic_version"
        ask = StringCommand(PSQL, "-d", QuoteString(database), "-c")
        return StringCommand(
            "( found=$(", ask, QuoteString(exists), ') && if test "$found" = t; then', ask, QuoteString(query),
            "; else echo; fi ) 2>/dev/null", SILENT,
        )  # fmt: skip

    def process(self, output: list[str]) -> str | None:
        return None if output == ["?"] else output[0].strip()
