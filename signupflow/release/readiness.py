"""The preflight: what a host must have before a release changes anything anywhere. Judged here, observed by a fact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}

# An unpacked image beside its archive, and some room for logs while the release runs.
SPARE_DISK_BYTES = 512 * 1024**2
CLOCK_SECONDS = 30
# A certificate is renewed at a third of its life (90 days: 30 before its end). At a thirtieth (3 days) nothing will save it.
CERTIFICATE_SHARE = 1 / 30


def size_bytes(text: str) -> int:
    """A Docker memory size such as 384m."""
    return int(text[:-1]) * UNITS[text[-1]]


@dataclass(frozen=True)
class Host:
    """What one host shows. Bytes and seconds; `clock` is Unix time; None where nothing can be said yet (a bare host)."""

    disk_free: int
    memory_available: int
    clock: float


@dataclass(frozen=True)
class Needs:
    """What a release needs of one host. `image_bytes` is the unpacked image's size; 0 when the image is there already."""

    image_bytes: int = 0
    new_replicas: int = 0
    replica_memory: int = 0


def host_problems(found: Host, needs: Needs, clock: float) -> Iterator[str]:
    """Why a release cannot go to this host, each with what to do."""
    disk = 2 * needs.image_bytes + SPARE_DISK_BYTES
    if found.disk_free < disk:
        yield (
            f"disk: {found.disk_free // 1024**2} MB are free where Docker keeps images, {disk // 1024**2} MB are needed for two "
            "images: free some (`docker system df`)"
        )
    memory = needs.new_replicas * needs.replica_memory
    if found.memory_available < memory:
        yield (
            f"memory: {found.memory_available // 1024**2} MB are available, a second generation may take "
            f"{memory // 1024**2} MB: lower app_replicas or app_memory"
        )
    if abs(found.clock - clock) > CLOCK_SECONDS:
        yield (
            f"clock: it differs from this machine's by {found.clock - clock:+.0f} s: see `timedatectl` there and here "
            "(tokens and certificates depend on it)"
        )


@dataclass(frozen=True)
class Database:
    """Connections of PostgreSQL: in use now, and at most."""

    used: int
    maximum: int


def database_problems(found: Database | None, wanted: int) -> Iterator[str]:
    """`wanted` is what one more generation on the largest app host may open; None is a server that does not answer."""
    if found is None:
        yield "database: PostgreSQL does not answer: see `docker logs signupflow-postgres` there"
    elif found.used + wanted > found.maximum:
        yield (
            f"database: {found.used} of {found.maximum} connections are in use and a second generation may open {wanted}: "
            "raise postgres_max_connections or lower app_database_connections"
        )


def certificate_problems(domain: str, seconds_left: float, lifetime_seconds: float) -> Iterator[str]:
    """A certificate that should have been renewed long ago."""
    if seconds_left < lifetime_seconds * CERTIFICATE_SHARE:
        left = f"{seconds_left / 86400:.1f} days" if seconds_left > 0 else "nothing"
        yield f"certificate: {domain} has {left} left, so its renewal fails: see `docker logs signupflow-traefik` on the edge"


def health_problems(status: int, said: str) -> Iterator[str]:
    """The release that serves now must be healthy: otherwise there is nothing to come back to.

    404 is no verdict: the path is the new release's, and the one that serves may not know it.
    """
    if status not in (200, 404):
        yield (
            f"current release: /health answers {status or 'nothing'} ({said or 'no reason given'}): fix it first, or release "
            "all the same with --data allow_unhealthy=true"
        )
