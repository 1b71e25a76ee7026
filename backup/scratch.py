"""A PostgreSQL instance beside the live one: a backup is restored into it, replayed, checked. It archives nothing.

Its container sees its own directory and the repositories, never the live cluster. Killed in the middle, it leaves a
directory and a container whose names begin with `scratch-`; the next one sweeps them away.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

from backup import ancestry, archive, create, unarchived
from backup.ancestry import Lineage
from backup.archive import Copy
from backup.configuration import DATA, DIRECTORY, LOCAL, LOCAL_BEFORE, ON_HOST, STATE, Configuration, place
from backup.create import Tell
from backup.exit_codes import Backup, Failed, Restore, errors, meaning, reason
from backup.server import LIVE, CommandError, Server, engine
from signupflow.shared import humanize
from signupflow.shared.places import BACKUP_REPOSITORY, BACKUP_SECRETS, POSTGRES_UID

PREFIX = "scratch-"
INSIDE = "/var/lib/postgresql/scratch"
LOG = f"{INSIDE}/scratch.log"

# Its own limits, so that the live server keeps most of the host.
MEMORY, CPUS = "1g", 1.0
# What is added to the size of the database when room for an instance is looked for.
SPARE_BYTES = 256 << 20
# Replay may take hours; an instance that does not even answer its own socket for so long after that is not coming.
START_SECONDS = 6 * 3600.0

# To the second below, so that recovery has a later change by which it knows that it is there.
LAST_CHANGE = """select to_char(pg_last_xact_replay_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""

# No archiving, no network, no waiting for whoever is not there; the live server's sizes do not matter without hot standby.
OPTIONS = {
    "archive_mode": "off",
    "hot_standby": "off",
    "listen_addresses": "",
    "unix_socket_directories": "/tmp",
    "ssl": "off",
    "shared_buffers": "128MB",
    "max_connections": "20",
    "log_min_messages": "log",
    "fsync": "on",
    # A backup that was made while a restore was ended has it on (backup/writes.py).
    "default_transaction_read_only": "off",
}
# What the server says when the log ends before the place or the moment that it was told to come to.
ENDED_EARLY = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True)
class Target:
    """Where recovery stops. Exactly one of `moment` and `point` is set, or neither: the last change.

    `at`: the last change of a live server, by its place in the log; the instance stops there, and goes on later (`goes_on`).
    """

    moment: datetime | None = None
    point: str = ""
    at: str = ""

    def options(self) -> list[str]:
        if self.at:
            return ["--type=lsn", f"--target={self.at}", "--target-action=shutdown"]
        if self.moment:
            stamp = f"{self.moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"
            return ["--type=time", f"--target={stamp}", "--target-action=promote"]
        if self.point:
            return ["--type=name", f"--target={self.point}", "--target-action=promote"]
        return ["--type=default"]

    def __str__(self) -> str:
        return humanize.moment(self.moment) if self.moment else f"restore point {self.point}" if self.point else "the last change"


class Scratch:
    """A container of PostgreSQL's image that waits for commands, and the directory that its cluster lies in."""

    def __init__(self, name: str, client: docker.DockerClient) -> None:
        self.directory, self.client = DATA / name, client
        # It stopped at a place in the log, from which it can go on.
        self.halted = False
        self.server = Server(name, client)

    def psql(self, sql: str, database: str = "postgres") -> str:
        argv = ("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", "/tmp", "-d", database, "-c", sql)
        return self.server.check(argv).strip()

    def script(self, sql: str, database: str) -> None:
        """Statements in one transaction, by a file: those that hold a secret are in no process list."""
        self.server.put("/tmp/script.sql", sql.encode())
        argv = ("psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-h", "/tmp", "-d", database, "-f", "/tmp/script.sql")
        try:
            self.server.check(argv)
        finally:
            self.server.run(("rm", "-f", "/tmp/script.sql"))

    def restore(self, copy: Copy, target: Target, tell: Tell) -> None:
        """Bring a backup's files into the directory."""
        shown = [time.monotonic()]

        def listen(line: str) -> None:
            found = re.search(r"\(\S+, (\d+)\.\d+%\)", line)
            if found and time.monotonic() - shown[0] > 5:
                shown[0] = time.monotonic()
                tell(f"{found[1]} % of the files are here")

        done = self.server.run(
            (
                *("pgbackrest", f"--repo={copy.repository}", f"--set={copy.label}", f"--pg1-path={INSIDE}/cluster"),
                *("--delta", "--log-level-console=detail", *target.options(), "restore"),
            ),
            listen=listen,
        )
        if done.code:
            raise _restore_failed(done.out + done.err)

    def start(self, tell: Tell, halts: bool = False, **more: str) -> None:
        """Start the instance and wait until it has replayed and takes writes; CommandError with its log when it does not.

        `halts`: until it has replayed and stopped again. `more` are settings of this start.
        """
        options = " ".join(f"-c {name}='{value}'" for name, value in (OPTIONS | more).items())
        start = f'pg_ctl start --no-wait --silent -D {INSIDE}/cluster -l {LOG} -o "{options}"'
        self.server.check(("sh", "-c", f": > {LOG} && {start}"))
        deadline = time.monotonic() + START_SECONDS
        told = time.monotonic()
        while time.monotonic() < deadline:
            with contextlib.suppress(CommandError):
                if self.psql("select pg_is_in_recovery()") == "f":
                    return
            if self.server.run(("pg_ctl", "status", "-D", f"{INSIDE}/cluster")).code:
                said = self.log()
                self.halted = halts and "shutdown at recovery target" in said
                if self.halted:
                    return
                raise CommandError(1, said)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"replaying: {self.last_segment()}")
            time.sleep(0.3)
        raise CommandError(1, self.log())

    def stop(self) -> None:
        self.server.check(("pg_ctl", "stop", "--silent", "-m", "fast", "-w", "-t", "600", "-D", f"{INSIDE}/cluster"))

    def log(self) -> str:
        return self.server.run(("tail", "-n", "40", LOG)).out

    def replayed(self) -> list[str]:
        """WAL segments that replay got from the archive, by the log, in their order."""
        return re.findall(r'restored log file "([0-9A-F]{24})"', self.server.run(("grep", "restored log file", LOG)).out)

    def last_change(self) -> datetime | None:
        """When the last transaction was committed that was replayed, by the log; None when there was none."""
        said = self.server.run(("grep", "last completed transaction was at", LOG)).out
        found = re.findall(r"at log time ([-0-9]+ [0-9:.+-]+)", said)
        return datetime.fromisoformat(found[-1]).astimezone(UTC) if found else None

    def lineage(self) -> Lineage:
        """The timeline that recovery began, by its history on the disk."""
        paths = {path.name: path for path in (self.directory / "cluster" / "pg_wal").glob("*.history")}
        name = ancestry.newest_name(paths)
        return ancestry.parse(name, paths[name].read_text()) if name else Lineage()

    def last_segment(self) -> str:
        found = self.replayed()
        return f"segment {found[-1]}" if found else "the first segment"


def _restore_failed(output: str) -> Failed:
    """What an error of `pgbackrest restore` means for whoever wants a database back."""
    code, why = meaning(output, Backup.DUMP_FAILED)
    said = errors(output)
    if re.search(r"\[075\]|backup set .* is not valid|no backup set", said):
        return Failed(Restore.NOT_FOUND, why)
    # A file that was cut off ends in the middle of a block of the cipher: "unable to flush".
    if re.search(r"checksum|unable to open missing file|size mismatch|\[029\]|unable to flush|unexpected eof", said):
        return Failed(Restore.NOT_VERIFIED, f"the backup is not what was written: {reason(output)}")
    return Failed(Restore.CONFIGURATION if code is Backup.CONFIGURATION else Restore.FAILED, why)


@contextmanager
def scratch(configuration: Configuration, kind: str, bytes_wanted: int, tell: Tell) -> Iterator[Scratch]:
    """A fresh scratch instance; its container is gone afterwards, and its directory unless somebody moved the cluster away."""
    client = engine()
    sweep(client, tell)
    room(bytes_wanted)
    name = f"{PREFIX}{kind}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    made = Scratch(name, client)
    made.directory.mkdir(mode=0o700)
    os.chown(made.directory, POSTGRES_UID, POSTGRES_UID)
    (made.directory / "cluster").mkdir(mode=0o700)
    os.chown(made.directory / "cluster", POSTGRES_UID, POSTGRES_UID)
    try:
        client.containers.run(
            image(client, configuration),
            ["-c", "trap 'exit 0' TERM INT; sleep infinity & wait"],
            entrypoint=["sh"],
            name=name,
            user=f"{POSTGRES_UID}:{POSTGRES_UID}",
            detach=True,
            init=True,
            labels={"org.signupflow.stack": "scratch"},
            mem_limit=MEMORY,
            nano_cpus=int(CPUS * 1e9),
            shm_size="128m",
            environment={"PGBACKREST_CONFIG": "/run/backup/pgbackrest.conf", "PGBACKREST_STANZA": configuration.stanza},
            volumes={
                str(made.directory): {"bind": INSIDE, "mode": "rw"},
                BACKUP_SECRETS: {"bind": "/run/backup", "mode": "ro"},
                str(ON_HOST): {"bind": str(DIRECTORY), "mode": "ro"},
                BACKUP_REPOSITORY: {"bind": "/var/lib/pgbackrest", "mode": "rw"},
            },
        )
        yield made
    except APIError as error:
        raise Failed(Restore.FAILED, f"a scratch instance cannot be made: {error.explanation or error}") from None
    finally:
        _remove(client, name)
        shutil.rmtree(made.directory, ignore_errors=True)


def room(bytes_wanted: int) -> None:
    """Raise Failed when a database of this size does not fit beside the live one."""
    free = shutil.disk_usage(DATA).free
    if free < bytes_wanted + SPARE_BYTES:
        said = f"{DATA} has {humanize.size(free)} free and the database takes {humanize.size(bytes_wanted)}"
        raise Failed(Restore.FAILED, f"{said}: add disk, or discard what is kept (signupflow-restore kept)")


def image(client: docker.DockerClient, configuration: Configuration) -> str:
    """The image that serves now; where nothing serves, the one of the configuration."""
    try:
        return str(client.containers.get(LIVE).attrs["Image"])
    except NotFound:
        return configuration.postgres_image


def sweep(client: docker.DockerClient, tell: Tell) -> None:
    """Take away what a run that was killed left behind; call it under the lock of restores."""
    for container in client.containers.list(all=True, filters={"label": "org.signupflow.stack=scratch"}):
        tell(f"removing {container.name}, which a run that was killed left")
        _remove(client, str(container.name))
    for directory in DATA.glob(f"{PREFIX}*"):
        shutil.rmtree(directory, ignore_errors=True)


def _remove(client: docker.DockerClient, name: str) -> None:
    with contextlib.suppress(NotFound):
        client.containers.get(name).remove(force=True, v=True)


def rebuilt(instance: Scratch, copy: Copy, target: Target, tell: Tell, live: Path | None = None) -> None:
    """Restore and replay; Failed says what stopped it. Afterwards the instance runs and takes writes.

    `live`: the cluster of this host, whose log goes on where the archive ends. Of a target `at` a place in its log the instance
    is stopped afterwards, and waits to be told of a later one.
    """
    tell(f"restoring {copy.label} from {place(copy.repository)}, to {target}")
    started = time.monotonic()
    # Before replay begins: the live server goes on archiving meanwhile.
    held = _newest(instance, copy)
    instance.restore(copy, target, tell)
    _carried(instance, live, tell)
    tell(f"files are here after {humanize.span(time.monotonic() - started)}; replaying WAL")
    try:
        instance.start(tell, halts=bool(target.at))
    except CommandError as error:
        if ENDED_EARLY not in error.output:
            raise _replay_failed(error.output, target) from None
        _came_to(instance, held)
        if not target.moment:
            raise _replay_failed(error.output, target) from None
        # Nothing was changed after that moment, as far as the archive goes: all there is, is what there was.
        if _newest(instance, copy) != held:
            raise Failed(
                Restore.FAILED, f"WAL came into the archive meanwhile, and {target} may be in it: restore again"
            ) from None
        tell(f"the archive ends before {target}: everything in it is taken")
        instance.restore(copy, Target(), tell)
        _carried(instance, live, tell)
        try:
            instance.start(tell)
        except CommandError as again:
            raise _replay_failed(again.output, target) from None
        _came_to(instance, held)
    if target == Target():
        _came_to(instance, held)
    tell(f"replayed to {target} after {humanize.span(time.monotonic() - started)}")


def goes_on(instance: Scratch, copy: Copy, at: str, live: Path, tell: Tell) -> None:
    """Replay what came since, up to a place in the live cluster's log behind which nothing is; the instance takes writes then."""
    began = time.monotonic()
    held = _newest(instance, copy)
    _carried(instance, live, tell)
    try:
        instance.start(tell, recovery_target_lsn=at, recovery_target_action="promote")
    except CommandError as error:
        if ENDED_EARLY in error.output:
            _came_to(instance, held)
        raise _replay_failed(error.output, Target()) from None
    tell(f"replayed to the last change, {at} of the log, after {humanize.span(time.monotonic() - began)}")


def _carried(instance: Scratch, live: Path | None, tell: Tell) -> None:
    if live and (names := unarchived.carried(live, instance.directory / "cluster")):
        tell(f"{len(names)} files of the log that are in no archive yet are taken from the live cluster's disk")


def _newest(instance: Scratch, copy: Copy) -> tuple[int, int]:
    """Timeline and number of the last segment that the archive of the backup's repository holds."""
    return max(archive.segments(create.archived(instance.server, copy.repository)), default=(0, 0))


def _came_to(instance: Scratch, held: tuple[int, int]) -> None:
    """Replay took all that the archive held; otherwise Failed.

    PostgreSQL takes whatever error it gets for a segment for the end of WAL, and serves: a store that is away for a minute, or a
    segment that is gone, would pass for the last change (PostgreSQL manual, restore_command).
    """
    last = max(map(archive.number, instance.replayed()), default=(0, 0))
    if last >= held:
        return
    so_far = ""
    with contextlib.suppress(CommandError):
        so_far = instance.psql(LAST_CHANGE)
    if not so_far and (change := instance.last_change()):
        so_far = f"{change:%Y-%m-%dT%H:%M:%SZ}"
    ended, goes_on = (archive.segment_name(*segment) if segment[0] else "none" for segment in (last, held))
    moment = so_far or "a moment before it"
    raise Failed(
        Restore.NOT_VERIFIED,
        f"replay ended at segment {ended}, and the archive goes on to {goes_on}: what lies between could not be read. Restore"
        f" again; when it ends there again, it is missing, and one comes as far as {moment}: --point-in-time {moment}, or for"
        f" deploys/disaster_recovery.py --data recover_to={moment}",
    )


def _replay_failed(log: str, target: Target) -> Failed:
    fatal = [line.partition("FATAL:")[2].strip() for line in log.splitlines() if "FATAL:" in line]
    why = fatal[-1] if fatal else (log.strip().splitlines() or ["its log is empty"])[-1]
    if target.point and "recovery target was reached" in why:
        return Failed(Restore.NOT_FOUND, f"there is no restore point {target.point} after that backup; name an older --backup")
    return Failed(Restore.FAILED, f"the restored database does not start: {why}")


def choose(copies: tuple[Copy, ...], label: str, target: Target, lineage: Lineage | None = None) -> Copy:
    """The backup to begin with: the named one, or the newest that had ended by then; from this host's disk if it is there.

    `lineage` is the newest timeline, which recovery follows: a backup of one that a restore went back behind leads nowhere.
    """
    past = ancestry.usable(copies, lineage) if lineage else copies
    if label:
        found = [copy for copy in copies if copy.label == label]
        if not found:
            raise Failed(Restore.NOT_FOUND, f"there is no backup {label}; `signupflow-backup list` shows them")
        found = [copy for copy in found if copy in past]
        if not found:
            raise Failed(
                Restore.NOT_FOUND,
                f"a restore went back behind {label}, so that nothing follows it; `signupflow-backup list` shows the others",
            )
    else:
        copies = past
        before = target.moment or max(points().get(target.point, []), default=None)
        found = [copy for copy in copies if not before or copy.stopped <= before]
        if not found:
            first = f"the oldest backup ended {humanize.moment(copies[0].stopped)}" if copies else "there is no backup"
            raise Failed(Restore.NOT_FOUND, f"nothing to restore {target} from: {first}")
    found = [copy for copy in found if not copy.faulty] or found
    newest = max(found, key=lambda copy: copy.stopped)
    # The same night's backup on this host's disk is as good and nearer.
    here = [copy for copy in found if copy.repository in (LOCAL, LOCAL_BEFORE)]
    near = [copy for copy in here if (newest.stopped - copy.stopped).total_seconds() < 21600]
    chosen = max(near, key=lambda copy: copy.stopped, default=newest)
    _names_one(target, chosen)
    return chosen


def _names_one(target: Target, chosen: Copy) -> None:
    """Recovery stops at the first restore point of a name that it meets: one of two would be meant."""
    met = [at for at in points().get(target.point, []) if at >= chosen.stopped]
    if len(met) > 1:
        times = " and ".join(map(humanize.moment, met))
        raise Failed(
            Restore.NOT_FOUND,
            f"there are {len(met)} restore points {target.point} after {chosen.label}, made at {times}: say --point-in-time",
        )


def points(state: Path = STATE) -> dict[str, list[datetime]]:
    """When deploys made restore points, by name, the oldest first: a version that is released again makes its point again."""
    path = state / "restore-points"
    lines = path.read_text(errors="replace").split("\n") if path.is_file() else []
    found: dict[str, list[datetime]] = {}
    for line in lines:
        if re.match(r"^[0-9]+ \S+$", line):
            stamp, name = line.split(" ", 1)
            found.setdefault(name, []).append(datetime.fromtimestamp(int(stamp), UTC))
    return found


def size_of(copy: Copy) -> int:
    """Bytes that a restored backup takes on disk."""
    return copy.size


def exists(path: Path) -> bool:
    return (path / "PG_VERSION").is_file()
