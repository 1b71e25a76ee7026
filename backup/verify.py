"""Is a restored database whole: structure, pages, rows, revision of the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backup.exit_codes import Failed, Restore
from backup.scratch import INSIDE, Scratch
from backup.server import CommandError

Psql = Callable[[str, str], str]

# One statement for any number of tables, without a second copy of their names.
COUNTS = """
select table_name || ' ' || (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from public.%I', table_name),
       false, true, '')))[1]::text
  from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name
"""
REVISION = "select coalesce(string_agg(version_num, ',' order by version_num), '') from public.alembic_version"


@dataclass(frozen=True)
class Contents:
    """Rows of every table of the database, and the schema's revision (empty when it has none)."""

    rows: Mapping[str, int]
    revision: str

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def contents(psql: Psql, database: str) -> Contents:
    """What a database holds, by whoever can ask it."""
    rows = {}
    for line in psql(COUNTS, database).splitlines():
        table, _, count = line.rpartition(" ")
        rows[table] = int(count)
    return Contents(rows, psql(REVISION, database) if "alembic_version" in rows else "")


def whole(instance: Scratch, database: str) -> None:
    """Every heap and index of every database is as it should be (pg_amcheck); Failed with code 5 when one is not."""
    argv = ("pg_amcheck", "--host=/tmp", "--all", "--install-missing", "--heapallindexed", "--jobs=2", "--progress")
    done = instance.server.run(argv)
    if done.code:
        lines = [line for line in (done.out + done.err).splitlines() if line.strip() and "%" not in line[:40]]
        raise Failed(Restore.NOT_WHOLE, f"pg_amcheck: {'; '.join(lines[:3])[:400]}")
    # It was not there before, and a schema that is compared must not have it.
    for name in instance.psql("select datname from pg_database where datallowconn").splitlines():
        instance.psql("drop extension if exists amcheck", name)


def pages(instance: Scratch) -> None:
    """Every page has its checksum; the instance must be stopped. Failed with code 5 when one has not."""
    try:
        instance.server.check(("pg_checksums", "--check", "-D", f"{INSIDE}/cluster"))
    except CommandError as error:
        raise Failed(Restore.NOT_WHOLE, f"pg_checksums: {' '.join(str(error).split())[-300:]}") from None


def between(before: Contents, after: Contents, restored: Contents) -> list[str]:
    """What of a restored database does not fit a live one that was counted before and after the moment it was restored to.

    A table that nobody changed must have exactly its rows. One that changed may be off by as much again as it changed.
    """
    wrong = []
    if restored.revision not in (before.revision, after.revision):
        wrong.append(f"schema {restored.revision or 'none'}, the live one is at {after.revision or 'none'}")
    for table, count in after.rows.items():
        first = before.rows.get(table, count)
        slack = abs(count - first)
        found = restored.rows.get(table)
        if found is None:
            wrong.append(f"table {table} is missing")
        elif not min(first, count) - slack <= found <= max(first, count) + slack:
            wrong.append(f"table {table} has {found} rows, the live one {count}")
    return wrong
