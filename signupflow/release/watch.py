"""Judging a release by numbers: Traefik's counters per generation, and what the public entry answers."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

COUNTER = re.compile(r"^traefik_service_requests_total\{([^}]*)\} ([0-9.e+]+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

# Fewer failures than this are no rate: one bad request among three is not 33 %.
LEAST_ERRORS = 3


@dataclass(frozen=True)
class Count:
    """Answers of a service since it began: all, and those with a status of 500 or more."""

    total: int = 0
    errors: int = 0

    def __sub__(self, other: Count) -> Count:
        # Counters begin at zero again when Traefik restarts.
        if other.total > self.total:
            return self
        return Count(self.total - other.total, self.errors - other.errors)

    def __add__(self, other: Count) -> Count:
        return Count(self.total + other.total, self.errors + other.errors)

    @property
    def percent(self) -> float:
        return 100 * self.errors / self.total if self.total else 0.0


def counts(metrics: str) -> dict[str, Count]:
    """Service name (without `@file`) to its count, from Traefik's /metrics."""
    found: dict[str, Count] = {}
    for labels, value in COUNTER.findall(metrics):
        named = dict(LABEL.findall(labels))
        service = named.get("service", "").partition("@")[0]
        number = int(float(value))
        errors = number if named.get("code", "").startswith("5") else 0
        found[service] = found.get(service, Count()) + Count(number, errors)
    return found


def total(found: Mapping[str, Count], services: Collection[str]) -> Count:
    return sum((found.get(service, Count()) for service in services), Count())


def fails(new: Count, old: Count, limit_percent: float) -> str:
    """Why the new generation's answers are too bad, or an empty string.

    Too bad is: at least three errors, over the limit, and more than twice the old one's rate in the same time: what failed
    before the release is not the release's doing.
    """
    if new.errors < LEAST_ERRORS or new.percent <= limit_percent or new.percent <= 2 * old.percent:
        return ""
    return f"{new.errors} of {new.total} answers were errors ({new.percent:.0f} %; the limit is {limit_percent:g} %)"


@dataclass(frozen=True)
class Sample:
    """One look at the public entry. `at` is seconds on any clock; `status` 0 when nothing answered."""

    at: float
    status: int
    database: bool | None = None
    count: Count = Count()

    @property
    def healthy(self) -> bool:
        return self.status == 200


def sample(at: float, status: int, body: str, count: Count) -> Sample:
    """From a /health answer; the database's state is unknown where the body does not tell."""
    try:
        database = json.loads(body)["components"]["database"]["status"] == "healthy"
    except (ValueError, KeyError, TypeError):
        database = None
    return Sample(at, status, database, count)


@dataclass
class MonitoringWindow:
    """The deployment contract's triggers (SPEC.md): each sample may end it with a reason to take the release back.

    Health fails 3 checks in a row; over `limit_percent` errors for `error_seconds`; no database for over `database_seconds`.
    """

    limit_percent: float = 5.0
    error_seconds: float = 120.0
    database_seconds: float = 60.0
    failed_checks: int = 3
    _samples: list[Sample] = field(default_factory=list)

    def add(self, new: Sample) -> str:
        """The reason to roll back, or an empty string."""
        self._samples.append(new)
        return self._health() or self._database(new) or self._errors(new)

    def _health(self) -> str:
        last = self._samples[-self.failed_checks :]
        if len(last) < self.failed_checks or any(item.healthy for item in last):
            return ""
        said = last[-1].status or "nothing"
        return f"the health check failed {self.failed_checks} times in a row (last answer: {said})"

    def _database(self, new: Sample) -> str:
        lost = None
        for item in reversed(self._samples):
            if item.database is not False:
                break
            lost = item.at
        if lost is None or new.at - lost <= self.database_seconds:
            return ""
        return f"the database has been lost for {new.at - lost:.0f} s"

    def _errors(self, new: Sample) -> str:
        since = [item for item in self._samples if new.at - item.at >= self.error_seconds]
        if not since:
            return ""
        window = new.count - since[-1].count
        if window.errors < LEAST_ERRORS or window.percent <= self.limit_percent:
            return ""
        return f"{window.percent:.0f} % of {window.total} answers in {self.error_seconds:.0f} s were errors"
