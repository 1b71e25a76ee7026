"""How dumps lie in the bucket: dumps/<environment>/<weekly|monthly>/<UTC>.dump.age, and beside each <object>.sha256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

STAMP = "%Y%m%dT%H%M%SZ"
ENDING, PROOF = ".dump.age", ".sha256"
# Days between two dumps of a kind (SPEC.md, Retention).
EVERY = {"weekly": 7, "monthly": 30}


@dataclass(frozen=True)
class Dump:
    """One stored dump; `proven` when it was read back."""

    kind: str
    key: str
    made: datetime
    size: int
    proven: bool


def prefix(environment: str) -> str:
    """Where an environment's dumps are."""
    return f"dumps/{environment}/"


def parsed(sizes: Mapping[str, int]) -> list[Dump]:
    """Dumps by their objects' names and sizes."""
    found = []
    for key, size in sizes.items():
        *_, kind, name = ("", "", *key.split("/"))
        if kind not in EVERY or not name.endswith(ENDING):
            continue
        try:
            made = datetime.strptime(name.removesuffix(ENDING), STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append(Dump(kind, key, made, size, key + PROOF in sizes))
    return found
