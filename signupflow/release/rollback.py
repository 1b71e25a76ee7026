"""Which release a rollback goes to, and whether its image can live with the schema as it is now."""

from __future__ import annotations

from collections.abc import Sequence

from signupflow.errors import OperatorError
from signupflow.release.ledger import RELEASED, Record
from signupflow.release.schema import Migration

LISTED = 8


def target(records: Sequence[Record], serving: str, wanted: str = "") -> Record:
    """The release to go back to. `serving` is the image that serves; `wanted` a version, an image or the start of its digest.

    Without `wanted`: the newest release before the one that serves was released. A second rollback so goes back further,
    and never to what was rolled back from. Raises OperatorError when there is none.
    """
    done = [record for record in records if record.outcome == RELEASED and record.image]
    if wanted:
        found = [record for record in done if _named(record, wanted)]
        if not found:
            raise OperatorError(f"no release {wanted} in the history; it has {listing(done) or 'none'}")
        if found[-1].image == serving:
            raise OperatorError(f"{wanted} serves already")
        return found[-1]
    released = [index for index, record in enumerate(done) if record.kind == "release" and record.image == serving]
    before = [record for record in done[: released[-1] if released else None] if record.image != serving]
    if not before:
        raise OperatorError(f"the history has no release before the one that serves; it has {listing(done) or 'none'}")
    return before[-1]


def _named(record: Record, wanted: str) -> bool:
    digest = record.image.rpartition("sha256:")[2]
    return wanted in (record.version, record.image, record.run) or (len(wanted) >= 12 and digest.startswith(wanted))


def listing(records: Sequence[Record]) -> str:
    """Versions for an error message, the newest first, each once."""
    versions = dict.fromkeys(record.version or record.image for record in reversed(records))
    more = len(versions) - LISTED
    return ", ".join(list(versions)[:LISTED]) + (f" and {more} more" if more > 0 else "")


def obstacles(version: str, has: Sequence[Migration], serving: Sequence[Migration], known: str) -> list[str]:
    """Migrations that the database has, the old image has not, and under which it cannot run; one line for each.

    `has` are the old image's migrations, `serving` those of the image that serves, `known` the database's revision.
    Such a migration is one that its author marked as breaking, or one that takes something away.
    """
    order = [migration.revision for migration in serving]
    applied = serving[: order.index(known) + 1] if known in order else serving
    missing = [migration for migration in applied if migration.revision not in {one.revision for one in has}]
    return [
        f"{version} cannot run on the present schema: migration {migration.revision} "
        f"{'breaks versions before it' if migration.breaks else 'took something away'} "
        f"({migration.breaks or '; '.join(migration.destructive)}). Nothing was changed. Release a version that "
        f"mends what is wrong, or restore the database to the point before {migration.revision}; what was written since is lost"
        for migration in missing
        if migration.breaks or migration.destructive
    ]
