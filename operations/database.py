"""PostgreSQL's roles and database, and the schema step of a release."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass

from pyinfra import host, logger, state
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.database import PSQL, RoleDigests, SchemaRevision
from facts.host_files import ManagedFile, marker
from operations.failed import Failed, refused
from operations.files import differs, digest, show, written
from operations.interrupts import guard
from operations.scripted import Scripted
from signupflow.release import appended, schema, scratch
from signupflow.shared.places import BACKUP_STATE, POSTGRES


@operation()
def roles(database: str, sql: str, digests: Mapping[str, str]) -> Generator[PyinfraCommand]:
    """Roles, passwords and the database, by one idempotent script.

    `digests` are keyed digests of what each role was made from; the script leaves them as the
    roles' comments in its last statements, so that a run cut off before them is repeated.
    `sql` carries SCRAM verifiers, never clear passwords, and goes through standard input.
    """
    present = host.get_fact(RoleDigests, database=database)
    if present is None:
        yield from _unknown()
        return
    if present.items() >= digests.items():
        host.noop(f"roles of {database} are as desired")
        return
    yield StringCommand(PSQL, "-q -d postgres -f -", _stdin=sql)


def _unknown() -> Iterator[Failed]:
    """The cluster exists but does not answer. A plan says nothing then: the stack's own step starts the server first."""
    if state.is_executing:
        yield refused("PostgreSQL does not answer; see `docker logs signupflow-postgres`")
    else:
        host.noop("unknown until PostgreSQL runs")


# Where the commands of backups keep what they know; they find the backup that comes before a restore point by its time.
BACKUPS = BACKUP_STATE
# The statements' own limits end a migration before this (alembic/env.py).
MIGRATION_SECONDS = 600


@dataclass(frozen=True)
class Schema:
    """The schema step of a release. `revision` and `migrations` are what the image says of itself, empty when it says nothing;
    `identity` names the image and its command, for one that says nothing. `smoke`: it can prove itself on a scratch database.
    """

    database: str
    revision: str
    migrations: tuple[schema.Migration, ...]
    identity: str
    directory: str
    compose: str
    smoke: bool
    restore_point: str


@operation()
def migrated(
    wanted: Schema,
    running: Callable[[], str],
    allow_interrupts: Collection[str] = (),
    named: Callable[[str], None] = lambda _: None,
) -> Generator[PyinfraCommand]:
    """Bring the schema to the image's revision, once, as the migrator role, before any replica starts.

    With a revision (the image's label) the database itself says whether there is anything to do, and a migration that the
    version which runs cannot live with is refused. Before it, the migration is tried on a copy of the schema, on which the
    image that is `running` (its id; empty for none) then proves that it still works. A database that is newer than the image
    is left as it is, when the image proves that it works on it.
    Without a revision, `identity` is noted on the host after a success. `named` is told of the restore point that is made.
    """
    path = f"{wanted.directory}/compose.yaml"
    current = host.get_fact(ManagedFile, path=path)
    writing = differs(current, wanted.compose, "0644", "root:root")
    known = host.get_fact(SchemaRevision, database=wanted.database) if wanted.revision else current.applied
    if known is None:
        yield from _unknown()
        return
    older, note = _older(wanted, known), digest(f"{wanted.identity} on {known}")
    trying = older and current.applied != note
    migrating = not older and known != (wanted.revision or digest(wanted.identity))
    if not (writing or migrating or trying):
        host.noop(f"schema of {wanted.database} is at {known if older else wanted.revision or 'the revision of this image'}")
        return
    if migrating and wanted.migrations:
        yield from _judged(wanted, known, allow_interrupts)
    if known:
        # Before every new image, whether its schema is another or not: its code may do the harm.
        named(wanted.restore_point)
        yield _restore_point(wanted)
    if writing:
        show(current, path, wanted.compose, "0644", "root:root")
        yield from written(path, wanted.compose, "0644", "root:root")
    if trying:
        yield from _tried(wanted, "", f"the schema ({known}) is newer than this image, which does not work on it")
        yield _noted(path, note)
    if migrating:
        before = running()
        if known and before and wanted.smoke:
            # In a maintenance window the version that runs is known not to survive: then the new one proves itself alone.
            window = "schema" in allow_interrupts and bool(_breaking(wanted, known))
            who = "new version does not work on its own" if window else "version that runs does not work on the new"
            yield from _tried(wanted, "" if window else before, f"the {who} schema", migrate=True)
        migrate = f"docker compose --project-directory {wanted.directory} run --rm --quiet-pull -T migrate"
        yield Scripted("the migration fails, and the schema is as it was", migrate, MIGRATION_SECONDS)
        yield _noted(path, digest(wanted.identity))


def _restore_point(wanted: Schema) -> StringCommand:
    """A name at which a restore can stop (PostgreSQL manual, pg_create_restore_point), and a line of when it was."""
    point = f"select pg_create_restore_point({_literal(wanted.restore_point)})"
    path = f"{BACKUPS}/restore-points"
    whole = f"mkdir -p {BACKUPS} && {{ {appended.on_a_new_line(path).strip()}; }}"
    noted = StringCommand(whole, '&& echo "$(date -u +%s)"', QuoteString(wanted.restore_point))
    make = StringCommand(PSQL, "-q -d", QuoteString(wanted.database), "-c", QuoteString(point), ">/dev/null")
    return StringCommand(make, "&&", noted, f">> {path}")


def _literal(text: str) -> str:
    """A string in SQL (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"


def _older(wanted: Schema, known: str) -> bool:
    """Whether the database is at a revision that the image does not have: a newer release made it."""
    return bool(wanted.migrations and known) and known not in {migration.revision for migration in wanted.migrations}


def _breaking(wanted: Schema, known: str) -> list[str]:
    """Revisions to come that are marked as breaking the version that runs."""
    return [migration.revision for migration in schema.pending(wanted.migrations, known) if migration.breaks]


def _judged(wanted: Schema, known: str, allow_interrupts: Collection[str]) -> Iterator[PyinfraCommand]:
    """Refuse what would break the version that runs; nothing runs on an empty database."""
    found = schema.verdict(schema.pending(wanted.migrations, known) if known else ())
    if found.outcome is schema.Outcome.REFUSED:
        logger.warning(f"{host.print_prefix}refused: {found.message}")
        yield refused(found.message, fleet=True)
    elif found.outcome is schema.Outcome.WINDOW:
        yield from guard("schema", found.message, allow_interrupts)


def _tried(wanted: Schema, image: str, otherwise: str, migrate: bool = False) -> Iterator[PyinfraCommand]:
    """On a copy of the schema, without its rows: migrate it, then have an image (by default the release's own) prove itself."""
    if not wanted.smoke:
        yield refused(f"{otherwise}, as far as anybody knows: it has no app_smoke_command")
        return
    steps = [f"docker compose --project-directory {wanted.directory} run --rm --quiet-pull -T rehearse"] if migrate else []
    failed = f"{{ echo {shlex.quote(otherwise)} >&2; exit 1; }}"
    smoke = (
        f"SIGNUPFLOW_SMOKE_IMAGE={shlex.quote(image)} docker compose --project-directory {wanted.directory}"
        f" run --rm --quiet-pull -T smoke || {failed}"
    )
    if image:
        smoke = (
            f"if docker image inspect {shlex.quote(image)} >/dev/null 2>&1; then {smoke}; else"
            " echo 'the image that runs is not on this host: whether it lives with the new schema was not tried' >&2; fi"
        )
    copied = scratch.script(PSQL, POSTGRES, wanted.database, [*steps, smoke])
    yield Scripted("tried on a copy of the schema", copied, MIGRATION_SECONDS)


def _noted(path: str, what: str) -> StringCommand:
    return StringCommand("mkdir -p /var/lib/signupflow/applied && echo", what, ">", QuoteString(marker(path)))
