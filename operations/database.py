"""PostgreSQL's roles and database, and the schema step of a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyinfra import host, state
from pyinfra.api import QuoteString, StringCommand, operation

from facts.database import PSQL, RoleDigests, SchemaRevision
from facts.host_files import ManagedFile, marker
from operations.files import differs, digest, show, written


@operation()
def roles(database: str, sql: str, digests: Mapping[str, str]) -> Iterator[StringCommand]:
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


def _unknown() -> Iterator[StringCommand]:
    """The cluster exists but does not answer. A plan says nothing then: the stack's own step starts the server first."""
    if state.is_executing:
        yield StringCommand("echo 'PostgreSQL does not answer; see `docker logs signupflow-postgres`' >&2; exit 1")
    else:
        host.noop("unknown until PostgreSQL runs")


@operation()
def migrated(database: str, revision: str, identity: str, directory: str, compose: str) -> Iterator[StringCommand]:
    """Bring the schema to the image's revision, once, as the migrator role, before any replica starts.

    With a `revision` (the image's label) the database itself says whether there is anything to do.
    Without one, `identity` (the image's id and command) is noted on the host after a success.
    """
    path = f"{directory}/compose.yaml"
    current = host.get_fact(ManagedFile, path=path)
    writing = differs(current, compose, "0644", "root:root")
    known = host.get_fact(SchemaRevision, database=database) if revision else current.applied
    if known is None:
        yield from _unknown()
        return
    migrating = known != (revision or digest(identity))
    if not writing and not migrating:
        host.noop(f"schema of {database} is at {revision or 'the revision of this image'}")
        return
    if writing:
        show(current, path, compose, "0644", "root:root")
        yield from written(path, compose, "0644", "root:root")
    if migrating:
        yield StringCommand("docker compose --project-directory", QuoteString(directory), "run --rm --quiet-pull -T migrate")
        yield StringCommand("mkdir -p /var/lib/signupflow/applied && echo", digest(identity), ">", QuoteString(marker(path)))
