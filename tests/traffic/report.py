"""What became of the traffic. Pure arithmetic over records: no clock, no network."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The first word of an error says what failed: one of these is an answer that came but should not have been given.
HTTP = "http"
# All others are of the connection: refused, unreachable, reset, closed (a kept connection, before it answered), incomplete,
# tls, timeout, goaway, protocol, broken (a stream that ended without `bye`).
CONNECTION = "connection"

SHORT = ("keepalive-", "fresh-", "h2-")
SLOW, DOWNLOAD, STREAM = "slow", "download", "stream"
# A stream opened again after one ended, and the end of one. An end is no request.
STREAM_AGAIN, STREAM_END = "stream-again", "stream-end"

MOST_SAMPLES = 20


@dataclass(frozen=True)
class Record:
    """One request: when it left (seconds since the traffic began), how long until its answer was whole, how late it left
    (milliseconds), and `error`: empty, or "<what failed>: <details>"."""

    sent_at: float
    ms: float
    lag_ms: float
    kind: str
    error: str = ""

    @property
    def is_short(self) -> bool:
        return self.kind.startswith(SHORT)

    @property
    def failure(self) -> str:
        """`refused`, `timeout`, ..., or `http 503`; empty when it did not fail."""
        what, _, details = self.error.partition(": ")
        return f"{what} {details[:3]}" if what == HTTP else what

    @property
    def failure_class(self) -> str:
        return "" if not self.error else HTTP if self.error.startswith(f"{HTTP}: ") else CONNECTION


@dataclass
class Report:
    """Counts and times of the traffic, or of a window of it (`between`).

    `writes` are the ids that were acknowledged and when; `cpu` is what the sending process had used at a moment (both in
    seconds since the traffic began); `lost` is filled in by `lost_writes`.
    """

    begins: float
    ends: float
    records: Sequence[Record]
    writes: Sequence[tuple[float, str]] = ()
    cpu: Sequence[tuple[float, float]] = ()
    # The traffic ended by itself, before it was told to: what came later was not measured.
    cut_short: bool = False
    lost: list[str] | None = field(default=None)

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Report:
        """From what the sending process printed."""
        return cls(
            begins=0.0,
            ends=found["seconds"],
            records=[Record(*values) for values in found["records"]],
            writes=[(moment, identifier) for moment, identifier in found["writes"]],
            cpu=[(moment, used) for moment, used in found["cpu"]],
            cut_short=found["cut_short"],
        )

    def between(self, begins: float, ends: float) -> Report:
        """What was sent (for writes: acknowledged) from `begins` until before `ends`."""
        return dataclasses.replace(
            self,
            begins=begins,
            ends=ends,
            records=[record for record in self.records if begins <= record.sent_at < ends],
            writes=[write for write in self.writes if begins <= write[0] < ends],
            lost=None,
        )

    @property
    def seconds(self) -> float:
        return self.ends - self.begins

    @property
    def sent(self) -> int:
        return sum(record.kind != STREAM_END for record in self.records)

    @property
    def short(self) -> list[Record]:
        return [record for record in self.records if record.is_short]

    @property
    def failures(self) -> list[Record]:
        """In the order they were sent. A stream that broke off counts, at the moment it did."""
        return sorted((record for record in self.records if record.error), key=lambda record: record.sent_at)

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def streams_broken(self) -> int:
        return sum(record.kind == STREAM_END for record in self.failures)

    def good(self, kind: str) -> int:
        """How many of a kind were answered as they should be."""
        return sum(record.kind == kind and not record.error for record in self.records)

    def short_ms(self, quantile: float) -> float:
        """Milliseconds that so many (0.99: 99 %) of the short requests took at most, the failed ones included."""
        return percentile([record.ms for record in self.short], quantile)

    @property
    def schedule_lag_p99_ms(self) -> float:
        """How late requests left: when this is not far below `p99_ms`, it was the sender that was slow."""
        return percentile([record.lag_ms for record in self.short], 0.99)

    @property
    def client_cpu(self) -> float:
        """Cores that the sender used."""
        inside = [sample for sample in self.cpu if self.begins <= sample[0] <= self.ends]
        if len(inside) < 2:
            return 0.0
        (first, used_before), (last, used) = inside[0], inside[-1]
        return (used - used_before) / (last - first)

    def as_dict(self) -> dict[str, Any]:
        """For evidence."""
        failures = self.failures
        return {
            "seconds": round(self.seconds, 1),
            "sent": self.sent,
            "sent_by_kind": _counted(record.kind for record in self.records if record.kind != STREAM_END),
            "failed": len(failures),
            "failed_by_class": _counted(record.failure_class for record in failures),
            "failed_by_kind": _counted(record.kind for record in failures),
            "failed_by_cause": _counted(record.failure for record in failures),
            "short": {
                "sent": len(self.short),
                "p50_ms": round(self.short_ms(0.5), 1),
                "p99_ms": round(self.short_ms(0.99), 1),
                "max_ms": round(self.short_ms(1), 1),
            },
            "p99_ms_by_connection": self._by_connection(),
            "slow_answered": self.good(SLOW),
            "downloads_complete": self.good(DOWNLOAD),
            "streams_opened": self.good(STREAM),
            "streams_reconnected": self.good(STREAM_AGAIN),
            "streams_broken": self.streams_broken,
            "writes_acknowledged": len(self.writes),
            "writes_lost": self.lost,
            "client_cpu": round(self.client_cpu, 2),
            "schedule_lag_p99_ms": round(self.schedule_lag_p99_ms, 1),
            "cut_short": self.cut_short,
            "samples": [
                {"sent_at": round(item.sent_at, 3), "ms": round(item.ms, 1), "kind": item.kind, "error": item.error}
                for item in failures[:MOST_SAMPLES]
            ],
        }

    def _by_connection(self) -> dict[str, float]:
        """New TLS connections pay for their handshake."""
        times = {prefix: [record.ms for record in self.records if record.kind.startswith(prefix)] for prefix in SHORT}
        return {prefix.rstrip("-"): round(percentile(found, 0.99), 1) for prefix, found in times.items()}


def percentile(values: Iterable[float], quantile: float) -> float:
    """Nearest rank: the smallest of the values that at least this share of them does not exceed; 0 when there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)] if ordered else 0.0


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(collections.Counter(names).items()))
