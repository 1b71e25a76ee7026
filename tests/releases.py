"""Images to release in tests: good ones, and one for each way in which a release fails.

good              works; every number is another version
unready           listens, but never says that it is ready
hang              never listens
exit              dies before it listens
errors            is healthy and answers everything else with 500
crash             is healthy and dies 20 s after its start
deaf              is healthy and ignores SIGTERM
migration-adds    adds a nullable column to `events`: the version before lives with it
migration-fails   brings a migration that fails half way
migration-drops   drops a column of `events` that the version before uses, and does not say so
migration-breaks  the same, marked: needs a maintenance window
"""

from __future__ import annotations

import functools

from lab import engine
from lab.client import ROOT
from signupflow.images import SCHEMA_LABEL
from signupflow.release import schema

FAULTS = ROOT / "tests" / "faults"
BASE = "signupflow/faults:local"
NAME = "signupflow/release"

AT_START = ("unready", "hang", "exit", "errors", "crash", "deaf")
# The target of release.Dockerfile for each migration of tests/faults/migrations.
MIGRATIONS = {"adds": "migrating", "fails": "migrating", "drops": "shrunk", "breaks": "shrunk"}
KINDS = ("good", *AT_START, *(f"migration-{name}" for name in MIGRATIONS))


@functools.cache
def image(kind: str, number: int = 1, after: int | None = None, named: str = "") -> str:
    """Builds the image of a kind and gives its tag, such as `signupflow/release:good-2`, version `1.2.0-good`.

    `after`: seconds from the start until `errors` or `crash` begins; the kind's own when None. `named`: a version in the place
    of that, and `signupflow/app` with it as the tag. Built over the application's
    image as it is now (signupflow/app:local), which must be there. Raises LabError when it cannot be built.
    """
    assert kind in KINDS, f"{kind} is none of {', '.join(KINDS)}"
    migration = kind.removeprefix("migration-") if kind.startswith("migration-") else ""
    version = f"1.{number}.0-{kind}" + ("" if after is None else f".{after}")
    tag = f"{NAME}:{kind}-{number}" + ("" if after is None else f"-after-{after}")
    if named:
        version, tag = named, f"signupflow/app:{named}"
    history = migrations(migration)
    arguments = {
        "BASE": BASE,
        "VERSION": version,
        "FAULTS_AT_START": kind if kind in AT_START else "",
        "FAULTS_AFTER": "" if after is None else str(after),
        "SCHEMA_REVISION": history[-1].revision,
        "SCHEMA_MIGRATIONS": schema.encode(history),
    }
    if migration:
        arguments["MIGRATION"] = migration
    _build_base()
    engine.build(
        FAULTS,
        tag,
        dockerfile=FAULTS / "release.Dockerfile",
        build_args=arguments,
        target=MIGRATIONS.get(migration, "release"),
    )
    assert engine.image_label(tag, SCHEMA_LABEL) == history[-1].revision
    return tag


def migrations(name: str = "") -> tuple[schema.Migration, ...]:
    """This repository's, and then the test migration of that name."""
    files = [*(ROOT / "alembic" / "versions").glob("*.py"), *([FAULTS / "migrations" / f"{name}.py"] if name else [])]
    return schema.from_sources(file.read_text() for file in files)


@functools.cache
def _build_base() -> None:
    """Always: with nothing changed it takes a second, and over a newer application it must be built again."""
    engine.build(FAULTS, BASE)
