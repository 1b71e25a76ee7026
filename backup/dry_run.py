"""What a restore would be refused for, found before hours are spent on it: `--dry-run` says it, with the run's own exit code."""

from __future__ import annotations

from difflib import get_close_matches

from backup import scratch
from backup.archive import Copy
from backup.configuration import Configuration
from backup.exit_codes import Failed, Restore
from backup.restoring import Wanted
from backup.server import CommandError, GoneError, Server

TABLES = "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace order by relname"


def in_place(wanted: Wanted, copy: Copy) -> None:
    """Raise Failed when the restore point is not known here, or when there is no room."""
    _known(wanted.target.point)
    scratch.room(scratch.size_of(copy))


def one_table(configuration: Configuration, wanted: Wanted, copy: Copy, table: str, schema: str) -> None:
    """The same, and when the table or the schema beside it is not as the restore of a table needs it."""
    in_place(wanted, copy)
    live = Server()
    try:
        if not live.running:
            raise GoneError(f"container {live.name} does not run on this host")
        if live.psql(f"select count(*) from pg_namespace where nspname = '{schema}'", configuration.database) != "0":
            raise Failed(Restore.CONFIGURATION, f"there is a schema {schema} already; drop it or name another with --into")
        tables = live.psql(TABLES, configuration.database).splitlines()
    except (GoneError, CommandError) as error:
        raise Failed(Restore.NO_DATABASE, f"the live database, which takes the table, does not answer: {error}") from None
    if table not in tables:
        close = get_close_matches(table, tables, n=1)
        raise Failed(
            Restore.NOT_FOUND,
            f"there is no table {table} now{f'; did you mean {close[0]}?' if close else ''} (one that was dropped since"
            f" {wanted.target} is found by the restore alone: leave --dry-run out)",
        )


def _known(point: str) -> None:
    """Deploys note the restore points that they make; others are in the archive, where only a replay finds them."""
    noted = sorted(scratch.points())
    if not point or point in noted:
        return
    close = ", ".join(get_close_matches(point, noted, n=3, cutoff=0.0))
    raise Failed(
        Restore.NOT_FOUND, f"no restore point {point} is noted on this host; {f'there are {close}' if close else 'none is'}"
    )
