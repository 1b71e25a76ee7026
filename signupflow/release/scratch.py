"""A scratch database with the schema of a real one and none of its rows, for a command to work on; gone afterwards."""

from __future__ import annotations

from collections.abc import Iterable

SUFFIX = "_rehearsal"


def script(psql: str, container: str, database: str, steps: Iterable[str]) -> str:
    """A shell script: make the copy, run `steps` one after another until one fails, drop the copy whatever happened.

    The migrator acts as the owner there as it does in the database itself. One left by a killed run is dropped first.
    """
    name = f"{database}{SUFFIX}"
    inside = f"docker exec -i -u postgres {container} sh -c"
    return f"""set -e
drop() {{ {psql} -q -d postgres -c 'drop database if exists "{name}" with (force)' </dev/null >/dev/null 2>&1; }}
drop
trap drop EXIT
{psql} -q -d postgres <<'SQL'
create database "{name}" owner "{database}_owner";
revoke all on database "{name}" from public;
grant connect, temporary on database "{name}" to "{database}_migrator";
alter role "{database}_migrator" in database "{name}" set role = '{database}_owner';
SQL
{inside} '{{ pg_dump --schema-only "{database}" && pg_dump --data-only --table alembic_version "{database}"; }} |
  psql -X -q -v ON_ERROR_STOP=1 -d "{name}"' </dev/null >/dev/null
""" + "".join(f"{{ {step}; }} </dev/null\n" for step in steps)
