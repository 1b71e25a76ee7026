"""The `/health` report: its shape is a contract (SPEC.md, "GET /health") that deploys, alerts and operators read."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from app.database import Database, DatabaseUnavailableError
from app.health import disk, memory
from app.health.bounded import BoundedCheck
from app.lifecycle import Lifecycle
from app.settings import Settings

DATABASE_LIMIT_SECONDS = 5
DISK_LIMIT_SECONDS = 5
DISK_DEGRADED_PERCENT = 90
MEMORY_DEGRADED_PERCENT = 85


class HealthReporter:
    """`await report()` gives whether the system is healthy and the JSON. Its checks run side by side, each bounded, so it
    takes 5 s at the worst."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        lifecycle: Lifecycle,
        memory_percent: Callable[[], float | None] = memory.used_percent,
        disk_percent: Callable[[], int] | None = None,
    ) -> None:
        self._settings, self._database, self._lifecycle = settings, database, lifecycle
        self._probe = BoundedCheck(database.probe, DATABASE_LIMIT_SECONDS)
        self._disk = BoundedCheck(disk_percent or (lambda: disk.used_percent(settings.data_dir)), DISK_LIMIT_SECONDS)
        self._memory = memory_percent

    async def report(self) -> tuple[bool, dict[str, Any]]:
        began = time.perf_counter()
        database, storage = await asyncio.gather(self._database_component(), self._storage_component())
        used = self._memory()
        checks = {
            "database": _verdict(database["status"] == "healthy"),
            "diskSpace": _verdict(storage["status"] == "healthy"),
            "memory": _verdict(used is None or used < MEMORY_DEGRADED_PERCENT),
        }
        healthy = "failed" not in checks.values()
        return healthy, {
            "status": "healthy" if healthy else "degraded",
            "timestamp": _iso(dt.datetime.now(dt.UTC)),
            "version": self._settings.app_version,
            "uptime": self._lifecycle.uptime,
            "components": {
                "api": {"status": "healthy", "responseTime": _milliseconds(began)},
                "database": database,
                "storage": storage,
            },
            "checks": checks,
        }

    async def _database_component(self) -> dict[str, Any]:
        began = time.perf_counter()
        error: str | None = None
        try:
            await self._probe()
        except TimeoutError:
            error = f"no answer within {DATABASE_LIMIT_SECONDS} s"
        except DatabaseUnavailableError:
            error = "connection failed"
        component: dict[str, Any] = {
            "status": "unhealthy" if error else "healthy",
            "responseTime": _milliseconds(began),
            "connectionPool": self._database.pool(),
        }
        if error:
            last = self._database.last_success
            component |= {"error": error, "lastSuccessfulConnection": _iso(last) if last else None}
        return component

    async def _storage_component(self) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            used = await self._disk()
        except (OSError, TimeoutError):
            return {"status": "unhealthy", "responseTime": _milliseconds(began), "error": "disk use cannot be read"}
        component: dict[str, Any] = {
            "status": "healthy" if used < DISK_DEGRADED_PERCENT else "unhealthy",
            "responseTime": _milliseconds(began),
            "diskUsage": f"{used}%",
        }
        if used >= DISK_DEGRADED_PERCENT:
            component["error"] = f"disk use is at or over {DISK_DEGRADED_PERCENT}%"
        return component


def _verdict(passed: bool) -> str:
    return "passed" if passed else "failed"


def _milliseconds(began: float) -> str:
    return f"{round((time.perf_counter() - began) * 1000)}ms"


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
