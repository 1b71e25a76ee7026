"""The way back: to the last change, to a second, to a restore point; in place, or one table beside the live one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backup import create, left_out, records, replaced, scratch, swap, timelines, verify, writes
from backup.ancestry import Lineage, written
from backup.archive import Copy, Store
from backup.configuration import DATA, Configuration, place
from backup.create import LONGEST_SECONDS, Tell
from backup.exit_codes import Backup, Failed, Restore
from backup.records import RESTORE, Record
from backup.replaced import Note
from backup.scratch import Scratch, Target
from backup.server import CommandError, GoneError, Server, engine
from signupflow.shared import humanize
from signupflow.shared.places import POSTGRES_UID

# The live server's last changes are archived before they are asked for.
SWITCH_SECONDS = 60.0
# A transaction comes first. Where nothing was written since the last switch, there would be no segment to wait for; and by its
# time recovery knows that it has come to a moment after which nothing else happened.
WRITE = "select pg_logical_emit_message(true, 'signupflow', 'switch')"
# Where the live server's container has the directory of all clusters (deploys/postgres).
LIVE_DATA = "/var/lib/postgresql"


@dataclass(frozen=True)
class Wanted:
    """What an operator asked for. `label` is a backup's, or empty for the best one; `repository` 0 for either."""

    target: Target
    label: str = ""
    repository: int = 0


def available(configuration: Configuration, wanted: Wanted, tell: Tell = lambda _: None) -> Copy:
    """The backup that a restore begins with."""
    try:
        store, found = _looked(configuration, wanted.repository, lambda server, store: _newest(configuration, server, store))
    except Failed as failed:
        code = Restore.CONFIGURATION if failed.code is Backup.CONFIGURATION else Restore.NOT_FOUND
        raise Failed(code, f"the backups cannot be listed: {failed}") from None
    for repository, said in store.troubles:
        tell(f"left out of account: {create.trouble(repository, said)}")
    _not_replaced(wanted.target, replaced.notes(store.copies))
    copies = tuple(copy for copy in store.copies if wanted.repository in (0, copy.repository))
    return scratch.choose(copies, wanted.label, wanted.target, found)


def _not_replaced(target: Target, notes: Sequence[Note]) -> None:
    """Recovery follows the newest timeline, which has nothing of what a restore went back behind."""
    for note in notes:
        if target.moment and note.within(target.moment):
            at, to = humanize.moment(note.until), humanize.moment(note.since)
            raise Failed(
                Restore.NOT_FOUND,
                f"{target} is between {to} and {at}, when a restore went back to {to}: what was in between is {note.where}",
            )


def _looked(configuration: Configuration, repository: int, lineage: Callable[[Server, Store], Lineage]) -> tuple[Store, Lineage]:
    """The backups and the newest timeline. One repository that cannot be read hides nothing of the other."""

    def look(server: Server) -> tuple[Store, Lineage]:
        store = create.known(server, repository, any_will_do=True)
        return store, lineage(server, store)

    try:
        return look(Server())
    except GoneError:
        # Nothing serves here: a scratch instance can read the repositories as well.
        with (
            records.alone(RESTORE, LONGEST_SECONDS, "another restore or drill"),
            scratch.scratch(configuration, "look", 0, lambda _: None) as instance,
        ):
            return look(instance.server)


def _newest(configuration: Configuration, server: Server, store: Store) -> Lineage:
    repositories = sorted({copy.repository for copy in store.copies})
    return timelines.newest(server, configuration.stanza, repositories, swap.CLUSTER)


def plan(configuration: Configuration, wanted: Wanted, copy: Copy) -> list[str]:
    """What a restore in place would do, a line each."""
    serving = swap.CLUSTER.joinpath("PG_VERSION").exists()
    where = place(copy.repository)
    lines = [
        f"restore {copy.label} ({humanize.size(copy.size)}, ended {humanize.moment(copy.stopped)}) from {where}"
        " to a new directory",
        f"replay WAL to {wanted.target}",
        "check it: pg_amcheck, page checksums, rows, schema revision",
    ]
    if serving:
        if wanted.target == Target():
            lines.append("let nothing be written from then on, while the last changes are replayed and checked; reads go on")
        lines.append(
            f"stop PostgreSQL, exchange the clusters, start it: {configuration.environment}'s database is away for seconds"
        )
        lines.append(f"keep the present cluster as {DATA}/{swap.KEPT}<time> until `signupflow-restore discard` removes it")
    else:
        lines.append("put it into place; there is no database on this host")
    return [*lines, "make a full backup at once"]


def in_place(configuration: Configuration, wanted: Wanted, copy: Copy, tell: Tell) -> Record:
    """Restore, check and swap in; keep how that ended. A restore that is cut off leaves the live database alone."""
    with records.alone(RESTORE, LONGEST_SECONDS, "another restore or drill", tell):
        try:
            swap.finished(engine(), tell)
        except Failed as failed:
            # The cluster that does not start is what this restore is there to replace.
            tell(str(failed))
        record = _kept(lambda: _in_place(configuration, wanted, copy, tell))
    tell(record.message)
    if Server().running:
        try:
            tell(create.make(configuration, tell).message)
        except Failed as failed:
            raise Failed(
                Restore.FAILED, f"the database is restored and serves; the full backup after it failed: {failed}"
            ) from None
    return record


def _kept(work: Callable[[], tuple[str, int]]) -> Record:
    """Do it and keep how it ended, with a code of restores whatever it was that failed."""

    def coded() -> tuple[str, int]:
        try:
            return work()
        except GoneError as error:
            raise Failed(Restore.NO_DATABASE, f"{error}; start it, or run deploys/production.py") from None
        except Failed as failed:
            if not isinstance(failed.code, Backup):
                raise
            codes = {Backup.NO_DATABASE: Restore.NO_DATABASE, Backup.CONFIGURATION: Restore.CONFIGURATION}
            raise Failed(codes.get(failed.code, Restore.FAILED), str(failed)) from None

    return create.kept(RESTORE, coded)


def _in_place(configuration: Configuration, wanted: Wanted, copy: Copy, tell: Tell) -> tuple[str, int]:
    began = time.monotonic()
    live = swap.CLUSTER if swap.CLUSTER.joinpath("PG_VERSION").exists() else None
    place = ""
    if live:
        swap.replaceable(engine())
        place = archived_so_far(tell)
    with ExitStack() as whole:
        instance = whole.enter_context(scratch.scratch(configuration, "restore", scratch.size_of(copy), tell))
        if live and wanted.target == Target():
            whole.callback(writes.resume, instance.client, swap.CLUSTER, tell)
            place = _to_the_last_change(instance, copy, live, place, tell)
        else:
            scratch.rebuilt(instance, copy, wanted.target, tell, live)
        since = _gone_back_to(instance, wanted.target, copy)
        found = checked(instance, configuration, tell)
        restored = instance.directory / "cluster"
        announce_timeline(restored)
        if live:
            # Of the last change that was caught up with, nothing is left out: the interval is empty.
            complete = wanted.target == Target() and bool(place)
            note = _noted(instance, since, until=since if complete else 0.0, name=swap.name())
            # Asked now: while the server is stopped, a store that is away is not waited for.
            copies = _listed(instance, tell)
            note = swap.swap(instance.client, restored, note, lambda: _stored(instance, copies, tell), tell)
            said = _left_out(note)
        else:
            writes.allowed(restored)
            note = _noted(instance, since, records.now(), f"recovered-{datetime.now(UTC):%Y%m%dT%H%M%SZ}", kept=False)
            replaced.keep(note)
            _stored(instance, _listed(instance, tell), tell)
            restored.rename(swap.CLUSTER)
            said = "there was no database on this host before"
    rows = f"{found.total} rows in {len(found.rows)} tables, schema {found.revision or 'none'}"
    return f"restored {copy.label} to {wanted.target} in {humanize.span(time.monotonic() - began)}: {rows}; {said}", copy.size


def _to_the_last_change(instance: Scratch, copy: Copy, live: Path, place: str, tell: Tell) -> str:
    """All that was acknowledged: replayed while the live server serves, then the rest while nothing is written.

    Returns the place in the log that it came to; empty where the live server does not answer: then its disk says what was.
    """
    if place:
        scratch.rebuilt(instance, copy, Target(at=place), tell, live)
    place = writes.stop(Server(), tell)
    if place and instance.halted:
        scratch.goes_on(instance, copy, place, live, tell)
        return place
    scratch.rebuilt(instance, copy, Target(), tell, live)
    return ""


def _gone_back_to(instance: Scratch, target: Target, copy: Copy) -> float:
    """The moment after which nothing is in what was restored."""
    made = max(scratch.points().get(target.point, []), default=None)
    return (target.moment or made or instance.last_change() or copy.stopped).timestamp()


def _noted(instance: Scratch, since: float, until: float, name: str, kept: bool = True) -> Note:
    timeline, at = instance.lineage().fork or (0, 0)
    return Note(name, since, until, timeline, written(at) if timeline else "", str(DATA / name) if kept else "")


def _listed(instance: Scratch, tell: Tell) -> tuple[Copy, ...]:
    """The backups beside which the note is put."""
    try:
        return create.known(instance.server, any_will_do=True).copies
    except Failed as failed:
        tell(f"the note of what is replaced will be on this host alone until the next backup: {failed}")
        return ()


def _stored(instance: Scratch, copies: tuple[Copy, ...], tell: Tell) -> None:
    """The notes of this host into the repositories, by the scratch instance: the live server is stopped."""
    replaced.stored(instance.server, copies, tell, replaced.QUICKLY_SECONDS)


def _left_out(note: Note) -> str:
    wal = f"{LIVE_DATA}/{note.name}/pg_wal"
    try:
        held = [path.name for path in (DATA / note.name / "pg_wal").iterdir()]
        found = left_out.found(Server(), wal, held, note.timeline, note.at)
    except (GoneError, CommandError, OSError):
        found = left_out.LeftOut(None)
    return found.said(note.since, note.kept)


def announce_timeline(cluster: Path) -> None:
    """Have the live server archive the history of the timeline that the restore began.

    The scratch instance archives nothing, so PostgreSQL did not mark it. Without it in the archive the next restore takes the
    same timeline again, and its WAL is refused: the names are there already, with other contents.
    """
    status = cluster / "pg_wal" / "archive_status"
    for history in (cluster / "pg_wal").glob("*.history"):
        if not (status / f"{history.name}.done").exists():
            ready = status / f"{history.name}.ready"
            ready.touch(mode=0o600)
            shutil.chown(ready, POSTGRES_UID, POSTGRES_UID)


def checked(instance: Scratch, configuration: Configuration, tell: Tell) -> verify.Contents:
    """Everything that can be checked of a restored instance, which is stopped afterwards."""
    tell("checking tables and indexes")
    verify.whole(instance, configuration.database)
    found = verify.contents(instance.psql, configuration.database)
    instance.stop()
    tell(f"{found.total} rows in {len(found.rows)} tables; checking pages")
    verify.pages(instance)
    return found


def archived_so_far(tell: Tell) -> str:
    """Have the live server's last changes in the archive, if it still answers; returns the place in its log that is then there.

    A store that is away is not waited for long: what is in no archive is taken from the disk.
    """
    server = Server()
    try:
        server.psql(WRITE)
        place = server.psql(writes.HERE)
        server.psql(writes.BEHIND)
        segment = server.psql(writes.SWITCH)
        deadline = time.monotonic() + SWITCH_SECONDS
        while time.monotonic() < deadline:
            if server.psql("select coalesce(last_archived_wal, '') from pg_stat_archiver") >= segment:
                return place
            time.sleep(0.3)
        tell(f"the live server's last segment ({segment}) is not archived yet")
        return place
    except (GoneError, CommandError) as error:
        tell(f"the live server does not answer: {' '.join(str(error).split())[:120]}")
        return ""


def one_table(configuration: Configuration, wanted: Wanted, copy: Copy, table: str, schema: str, tell: Tell) -> Record:
    """One table as it was, in a schema of its own beside the live tables: for a repair by hand."""
    with records.alone(RESTORE, LONGEST_SECONDS, "another restore or drill", tell):
        return _kept(lambda: _one_table(configuration, wanted, copy, table, schema, tell))


def _one_table(configuration: Configuration, wanted: Wanted, copy: Copy, table: str, schema: str, tell: Tell) -> tuple[str, int]:
    live, database = Server(), configuration.database
    if not live.running:
        raise GoneError(f"container {live.name} does not run on this host")
    if live.psql(f"select count(*) from pg_namespace where nspname = '{schema}'", database) != "0":
        raise Failed(Restore.CONFIGURATION, f"there is a schema {schema} already; drop it or name another with --into")
    archived_so_far(tell)
    with scratch.scratch(configuration, "table", scratch.size_of(copy), tell) as instance:
        scratch.rebuilt(instance, copy, wanted.target, tell, swap.CLUSTER)
        if instance.psql(f"select to_regclass('public.\"{table}\"') is not null", database) != "t":
            raise Failed(Restore.NOT_FOUND, f"there was no table {table} at {wanted.target}")
        # Rows and columns, no keys: what it refers to may look different now.
        instance.psql(f'create schema "{schema}"; create table "{schema}"."{table}" as table public."{table}"', database)
        rows = int(instance.psql(f'select count(*) from "{schema}"."{table}"', database))
        tell(f"{rows} rows; copying them to the live database")
        argv = ("pg_dump", "-h", "/tmp", "-d", database, "-n", schema, "--no-owner", "--no-privileges")
        _through(instance, argv, live, database)
    return f'{rows} rows of {table} at {wanted.target} are in "{schema}"."{table}"; drop the schema when you are done', rows


def _through(instance: Scratch, argv: tuple[str, ...], live: Server, database: str) -> None:
    """What the instance's pg_dump writes into its directory, the live server's psql reads from there, in one transaction."""
    instance.server.check((*argv, "-f", f"{scratch.INSIDE}/table.sql"))
    path = f"{LIVE_DATA}/{instance.directory.name}/table.sql"
    try:
        live.check(("psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", path))
    except CommandError as error:
        raise Failed(
            Restore.FAILED, f"the live database does not take the table: {' '.join(str(error).split())[-300:]}"
        ) from None


def moment(text: str) -> datetime:
    """A point in time by ISO 8601. Without a zone it would be a guess, so it is refused."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failed(Restore.CONFIGURATION, f"{text!r} is not ISO 8601, such as 2026-11-27T02:15:00Z") from None
    if found.tzinfo is None:
        raise Failed(Restore.CONFIGURATION, f"{text!r} has no zone: write 2026-11-27T02:15:00Z, or +08:00 in the place of Z")
    if found > datetime.now(UTC):
        raise Failed(Restore.CONFIGURATION, f"{text} is in the future")
    return found
