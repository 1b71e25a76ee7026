"""One backup run: both repositories written, read back, and only then the old expired."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence

from backup import archive, bucket, records, replaced
from backup.archive import Copy, Store
from backup.configuration import LOCAL, OBJECT_STORE, REPOSITORIES, REPOSITORY, Configuration, place
from backup.exit_codes import Backup, Failed, meaning
from backup.records import BACKUP, Record
from backup.server import Done, GoneError, Server
from signupflow.shared import humanize

Tell = Callable[[str], None]

# What one backup may take before another stops waiting for it.
LONGEST_SECONDS = 6 * 3600.0
# pgBackRest's code when another of its processes works on the stanza: one whose own command was killed.
LOCKED = 50
# Kept free on this host beside what the backup is expected to take.
SPARE_BYTES = 256 << 20


def make(configuration: Configuration, tell: Tell) -> Record:
    """Run one backup and keep how it ended; raise Failed when it did not end well."""
    with records.alone("backup", LONGEST_SECONDS, "another backup", tell):
        return kept(BACKUP, lambda: _made(configuration, Server(), tell))


def kept(kind: str, work: Callable[[], tuple[str, int]]) -> Record:
    """Do some work, which returns what to say of it and a size, and keep how it ended; Failed is raised on."""
    started = records.now()
    records.write(Record(kind, started))
    try:
        said, size = work()
    except GoneError as error:
        failed = Failed(Backup.NO_DATABASE, f"{error}; start it, or run deploys/production.py")
        records.write(Record(kind, started, records.now(), failed.code, str(failed)))
        raise failed from None
    except Failed as failed:
        records.write(Record(kind, started, records.now(), failed.code, str(failed)))
        raise
    except Exception as error:
        records.write(Record(kind, started, records.now(), Backup.DUMP_FAILED, f"{type(error).__name__}: {error}"[:400]))
        raise
    record = Record(kind, started, records.now(), 0, said, size)
    records.write(record)
    return record


def _made(configuration: Configuration, server: Server, tell: Tell) -> tuple[str, int]:
    if not server.running:
        raise GoneError(f"container {server.name} does not run on this host")
    answers(server)
    if configuration.store:
        bucket.reachable(configuration.store)
    before = known(server)
    if before.empty:
        # A new disk after a lost host, or a bucket that somebody emptied: what is written from here on is whole.
        tell(f"made ready, because it was empty: {', '.join(place(key) for key in before.empty)}")
        made_ready = server.pgbackrest("stanza-create")
        if made_ready.code:
            raise Failed(*meaning(made_ready.out + made_ready.err, Backup.CONFIGURATION))
    replaced.stored(server, before.copies, tell)
    _room(server, before)
    stored = 0
    parts = []
    for repository, where in REPOSITORIES.items():
        made = _written(server, repository, where, tell)
        tell(f"{where}: reading {made.label} back")
        read_back(server, [made], only=made.label)
        _without_gap(server, made, before)
        stored += made.stored
        parts.append(f"{humanize.size(made.stored)} in {where} in {humanize.span(made.seconds)} as {made.label}")
    # Everything new is proven: only now may something old go.
    for repository in REPOSITORIES:
        done = server.pgbackrest(f"--repo={repository}", "expire")
        if done.code:
            raise Failed(*meaning(done.out + done.err, Backup.UPLOAD_FAILED))
    return f"{humanize.size(made.size)} of PostgreSQL backed up and read back: {', '.join(parts)}", stored


def answers(server: Server) -> None:
    """Raise Failed unless the live server answers a query."""
    done = server.run(("psql", "-X", "-At", "-d", "postgres", "-c", "select 1"))
    if done.code or done.out.strip() != "1":
        said = (done.err or done.out).strip().splitlines() or ["no word"]
        raise Failed(Backup.NO_DATABASE, f"PostgreSQL does not answer: {said[0].removeprefix('psql: error: ')}")


def known(server: Server, repository: int = 0, any_will_do: bool = False) -> Store:
    """What the repositories hold, or the one that is named; Failed when one cannot be read.

    `any_will_do`: only when none can. What is wrong with the others stands in `troubles`.
    """
    options = (f"--repo={repository}",) if repository else ()
    done = server.pgbackrest(*options, "info", "--output=json", "--log-level-console=error")
    if done.code:
        raise Failed(*meaning(done.out + done.err, Backup.UPLOAD_FAILED))
    try:
        store = archive.parse_info(done.out)
    except ValueError:
        # Noise in the place of a file, as a wrong passphrase leaves it, stands in the answer too.
        raise Failed(*meaning(f"ERROR: [000]: {done.out}", Backup.UPLOAD_FAILED)) from None
    if store.troubles and not (any_will_do and store.copies):
        raise trouble(*store.troubles[0])
    return store


def trouble(repository: int, said: str) -> Failed:
    """What pgBackRest says of a repository that it cannot read, as the code and the line that follow."""
    code, why = meaning(f"ERROR: [000]: {said}", Backup.CONFIGURATION)
    return Failed(code, f"{place(repository)}: {why.removeprefix('[000]: ')}")


def _room(server: Server, before: Store) -> None:
    """Raise Failed when the disk of this host will not hold another copy."""
    copies = before.of(LOCAL)
    if copies:
        wanted = int(copies[-1].stored * 1.2)
    else:
        # Nothing to go by yet: a database with zstd over it is at most half as large.
        wanted = int(server.psql("select sum(pg_database_size(oid)) from pg_database") or 0) // 2
    REPOSITORY.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(REPOSITORY).free
    if free < wanted + SPARE_BYTES:
        room = f"{REPOSITORY} has {humanize.size(free)} free and a backup takes {humanize.size(wanted)}"
        raise Failed(Backup.NO_ROOM, f"{room}: free or add disk, or lower backup_local")


def _written(server: Server, repository: int, where: str, tell: Tell) -> Copy:
    """A full backup in one repository, which is not yet proven."""
    tell(f"{where}: starting a full backup")
    labels: list[str] = []
    shown = [0]

    def listen(line: str) -> None:
        if found := re.search(r"new backup label = (\S+)", line):
            labels.append(found[1])
        if (found := re.search(r"\(\S+, (\d+)\.\d+%\)", line)) and int(found[1]) // 10 > shown[0]:
            shown[0] = int(found[1]) // 10
            tell(f"{where}: {shown[0] * 10} %")

    options = (f"--repo={repository}", "--type=full", "--no-expire-auto", "--log-level-console=detail")
    done = _when_free(server, tell, *options, "backup", listen=listen)
    if done.code:
        raise Failed(*meaning(done.out + done.err, Backup.UPLOAD_FAILED if repository == OBJECT_STORE else Backup.DUMP_FAILED))
    made = next((copy for copy in known(server).of(repository) if labels and copy.label == labels[-1]), None)
    if made is None:
        raise Failed(Backup.NOT_VERIFIED, f"{where}: pgBackRest says that it wrote a backup, and does not list it")
    if made.faulty:
        raise Failed(Backup.NOT_VERIFIED, f"{where}: {made.label} has pages whose checksum is wrong: the database's disk is bad")
    return made


def _when_free(server: Server, tell: Tell, *arguments: str, listen: Callable[[str], None]) -> Done:
    """A command of pgBackRest; one whose own caller was killed may still be at work, and is waited for."""
    deadline, told = time.monotonic() + LONGEST_SECONDS, False
    while True:
        done = server.pgbackrest(*arguments, listen=listen)
        if done.code != LOCKED or time.monotonic() > deadline:
            return done
        if not told:
            tell("a pgBackRest of an earlier run is still at work; this one waits for it")
        told = True
        time.sleep(2)


def read_back(server: Server, copies: Sequence[Copy], only: str = "") -> None:
    """Read backups of one repository and WAL back from where they are stored; Failed when something is not as it was written.

    `only`: that backup and the WAL that it needs; otherwise all that the repository holds.
    """
    for repository in sorted({copy.repository for copy in copies}):
        # One retry, at once: by default another follows after 15 s, which for each file in a large object that was cut off
        # makes an hour (443 files of a database of 34 MB; with one retry 4 s). pgBackRest 2.55 calls the option internal.
        options = (f"--repo={repository}", "--output=text", "--verbose", "--log-level-console=off", "--job-retry=1")
        done = server.pgbackrest(*options, *([f"--set={only}"] if only else []), "verify")
        if done.code:
            raise Failed(*meaning(done.out + done.err, Backup.NOT_VERIFIED))
        if fault := archive.verified(done.out, [copy.label for copy in copies if copy.repository == repository]):
            raise Failed(Backup.NOT_VERIFIED, f"{place(repository)}: {fault}")


def _without_gap(server: Server, made: Copy, before: Store) -> None:
    """Since the backup before, every moment must be recoverable: no WAL segment may be missing."""
    earlier = before.of(made.repository)
    first = (earlier[-1] if earlier else made).wal_first
    if holes := archive.gaps(archived(server, made.repository), first):
        says = ", ".join(f"{a} and {b}" for a, b in holes[:3])
        raise Failed(
            Backup.NOT_VERIFIED,
            f"{place(made.repository)}: WAL is missing between {says}: moments in between cannot be recovered; "
            f"{made.label} itself is whole",
        )


def archived(server: Server, repository: int) -> list[str]:
    """File names in a repository's WAL archive."""
    done = server.pgbackrest(f"--repo={repository}", "--log-level-console=error", "repo-ls", "--recurse", "archive")
    if done.code:
        raise Failed(*meaning(done.out + done.err, Backup.NOT_VERIFIED))
    return [line.rpartition("/")[2] for line in done.out.splitlines()]
