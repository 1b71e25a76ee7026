"""Which release a rollback goes to, and whether its image can live with the schema as it is now."""

from __future__ import annotations

from collections.abc import Sequence

from signupflow.errors import OperatorError
from signupflow.release import served
from signupflow.release.ledger import RELEASED, Record
from signupflow.release.schema import Migration

LISTED = 8


def target(records: Sequence[Record], serving: str, wanted: str = "") -> Record:
    """The release to go back to. `serving` is the image that serves; `wanted` a version, an image or the start of its digest.

    Without `wanted`: the release that served before (`signupflow.release.served`). A second rollback so goes back further,
    and never to what was gone back from. `serving` is empty while hosts serve different releases: then one must be named.
    Raises OperatorError when there is none.
    """
    done = [record for record in records if record.outcome == RELEASED and record.image]
    if wanted:
        found = [record for record in done if _named(record, wanted)]
        if not found:
            raise OperatorError(f"no release {wanted} in the history; it has {listing(done) or 'none'}")
        if served.identity(_newest(found).image) == served.identity(serving):
            raise OperatorError(f"{wanted} serves already")
        return _newest(found)
    before = served.before(records, serving)
    if not before:
        raise OperatorError(
            "the history has no release before the one that serves that was not gone back from; "
            f"name one to go to it all the same: {listing(done, but=serving) or 'there is no other'}"
        )
    return _newest([record for record in done if served.identity(record.image) == before[-1]])


def _newest(found: Sequence[Record]) -> Record:
    """The newest that released it: who restarted it since says nothing about where it came from."""
    return next((record for record in reversed(found) if record.kind in served.FORWARD), found[-1])


def _named(record: Record, wanted: str) -> bool:
    digest = record.image.rpartition("sha256:")[2]
    return wanted in (record.version, record.image, record.run) or (len(wanted) >= 12 and digest.startswith(wanted))


def listing(records: Sequence[Record], but: str = "") -> str:
    """Versions for an error message, the newest first, each once, without that of the image `but`."""
    others = [record for record in records if served.identity(record.image) != served.identity(but)]
    versions = dict.fromkeys(record.version or record.image for record in reversed(others))
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
        f"fixes it, or restore the database to the point before {migration.revision}; what was written since is lost"
        for migration in missing
        if migration.breaks or migration.destructive
    ]
