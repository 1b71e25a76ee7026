"""Which migrations a release brings, and whether the version that runs survives them.

An image says in a label which migrations it holds, what the linter found in each and how its author marked it, so that a
plan is made without running the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from signupflow.errors import OperatorError
from signupflow.release import lint

SCHEMA_MIGRATIONS_LABEL = "org.signupflow.schema-migrations"


class UnknownRevisionError(OperatorError):
    """The database is at a revision that an image does not hold: another, mostly a newer, version made it."""


class HistoryError(OperatorError):
    """Migrations that do not form one line from a first to a newest."""


@dataclass(frozen=True)
class Migration:
    """`down` is the revision it follows ("" for the first). `destructive`: what lint.destructive found. `breaks`: why it may
    break the running version, by its author; "" when not marked."""

    revision: str
    down: str
    destructive: tuple[str, ...]
    breaks: str


class Outcome(StrEnum):
    COMPATIBLE = "compatible"
    REFUSED = "refused"
    WINDOW = "window"


@dataclass(frozen=True)
class Verdict:
    """`message` is for the operator, its first line says it all; "" when compatible."""

    outcome: Outcome
    message: str


def from_sources(sources: Iterable[str]) -> tuple[Migration, ...]:
    """The migrations of an image from their files' texts, in order. Raises lint.MigrationError or HistoryError."""
    return ordered(
        Migration(lint.revision(text), lint.down_revision(text), tuple(lint.destructive(text)), lint.mark(text))
        for text in sources
    )


def ordered(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """From the first to the newest. Raises HistoryError when they are not one line."""
    given = tuple(migrations)
    after = {migration.down: migration for migration in given}
    line: list[Migration] = []
    while (following := after.pop(line[-1].revision if line else "", None)) is not None:
        line.append(following)
    if len(line) != len(given):
        left = sorted({migration.revision for migration in given} - {migration.revision for migration in line})
        named = ", ".join(left) or "one of them is there twice"
        raise HistoryError(
            f"migrations are not one line from a first to a newest: {named}; correct down_revision in alembic/versions"
        )
    return tuple(line)


def encode(migrations: Iterable[Migration]) -> str:
    """For the image's label: JSON in ASCII without line breaks, from the first to the newest; "" for none."""
    rows = [[one.revision, one.down, list(one.destructive), one.breaks] for one in ordered(migrations)]
    return json.dumps(rows, separators=(",", ":")) if rows else ""


def decode(text: str) -> tuple[Migration, ...]:
    """What `encode` wrote. "" is (), as of an image without migrations. Raises OperatorError for anything else."""
    if not text:
        return ()
    try:
        return ordered(
            Migration(str(revision), str(down), tuple(map(str, destructive)), str(breaks))
            for revision, down, destructive, breaks in json.loads(text)
        )
    except (ValueError, TypeError):
        raise OperatorError(
            f"the image's label {SCHEMA_MIGRATIONS_LABEL} cannot be read; build the image with `make build`"
        ) from None


def pending(migrations: Iterable[Migration], current: str) -> tuple[Migration, ...]:
    """Those after `current`, the database's revision, to the newest; all when it is "" (an empty database).

    Raises UnknownRevisionError when `current` is none of the image's. An image that is older than the database, as in a
    rollback, ends there too: whether that may go on is the caller's to know.
    """
    line = ordered(migrations)
    if not current:
        return line
    places = [place for place, migration in enumerate(line) if migration.revision == current]
    if not places:
        newest = line[-1].revision if line else "none"
        raise UnknownRevisionError(
            f"the database is at schema revision {current}, which this image does not know (its newest: {newest}); "
            "release an image that holds that migration, or bring the database back to a revision that this one knows"
        )
    return line[places[0] + 1 :]


def verdict(pending: Iterable[Migration]) -> Verdict:
    """Whether the running version survives these. One that is destructive and not marked decides before any that is marked."""
    waiting = tuple(pending)
    breaking = [
        f"{migration.revision}: {', '.join(migration.destructive)}"
        for migration in waiting
        if migration.destructive and not migration.breaks
    ]
    if breaking:
        return Verdict(
            Outcome.REFUSED,
            f"migration {'; '.join(breaking)} would break the version that runs. Split it: add now, remove in a later release, "
            'when nothing uses it any more; or write breaks = "why" into the migration and release it in a maintenance window',
        )
    marked = [f"{migration.revision} ({migration.breaks})" for migration in waiting if migration.breaks]
    if marked:
        return Verdict(
            Outcome.WINDOW,
            f"migration {', '.join(marked)} breaks the version that runs, so requests fail until the new one serves; "
            "release it in a maintenance window with --data allow_interrupts=schema",
        )
    return Verdict(Outcome.COMPATIBLE, "")
