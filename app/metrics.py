"""Prometheus metrics: requests by route, status and method, their latency, the database pool, and the build."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.database import Database
from app.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """A registry of its own for each application object, so that tests can make several."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self._requests = Counter("signupflow_http_requests_total", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "signupflow_http_request_duration_seconds",
            "Time to answer.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        build = Gauge("signupflow_build_info", "The running release.", ("version", "revision"), registry=self._registry)
        build.labels(settings.app_version, settings.app_revision).set(1)
        self._registry.register(_PoolCollector(database))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is the template, never the path: paths hold ids, and each label value is a series kept for ever."""
        method = method if method in _METHODS else "OTHER"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def watch(self, name: str, description: str, read: Callable[[], float]) -> None:
        """A gauge whose value is read when it is asked for."""
        Gauge(name, description, registry=self._registry).set_function(read)

    def render(self) -> bytes:
        return generate_latest(self._registry)


class _PoolCollector(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("signupflow_db_pool_connections", "Database connections.", labels=["state"])
        for state, number in self._database.pool().items():
            family.add_metric([state], number)
        yield family
