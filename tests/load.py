"""Open-loop HTTPS load against the lab: requests leave on schedule whether or not earlier ones were answered."""

from __future__ import annotations

import asyncio
import collections
import socket
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.lab_client import Lab


@dataclass
class Report:
    """What became of the requests. Times are in milliseconds; `statuses` counts HTTP codes and error classes."""

    sent: int = 0
    failed: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Fixed(AbstractResolver):
    """Resolves every name to the lab's first host."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self.address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        return None


class Load:
    """`with Load(lab, rate=50, seconds=30) as load: ...; load.report` - at most `seconds`, ended early by `stop`.

    Two of five requests use a new TLS connection, the others are kept alive; a request that fails is
    never sent again. `rate` is in requests per second.
    """

    def __init__(self, lab: Lab, rate: float, seconds: float, path: str = "/health/live", domain: str = "") -> None:
        self.lab, self.rate, self.seconds, self.path = lab, rate, seconds, path
        self.domain = domain or lab["domains"][0]
        self.report = Report()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        self.wait()

    def wait(self) -> None:
        self._thread.join(self.seconds + 60)

    def _session(self, force_close: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=self.lab.tls(), resolver=_Fixed(self.lab.address()), force_close=force_close, limit=0
        )
        session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=15))
        session._retry_connection = False
        return session

    async def _run(self) -> None:
        statuses: collections.Counter[str] = collections.Counter()
        times: list[float] = []
        kept, fresh = self._session(False), self._session(True)

        async def one(number: int) -> None:
            started = time.perf_counter()
            session = fresh if number % 5 < 2 else kept
            try:
                async with session.get(f"https://{self.domain}{self.path}") as response:
                    await response.read()
                    statuses[str(response.status)] += 1
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                statuses[type(error).__name__] += 1
            times.append((time.perf_counter() - started) * 1000)

        tasks: set[asyncio.Task[None]] = set()
        begun, number = time.perf_counter(), 0
        while not self._stopped.is_set() and number < int(self.rate * self.seconds):
            await asyncio.sleep(max(0.0, begun + number / self.rate - time.perf_counter()))
            task = asyncio.create_task(one(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)
        await kept.close()
        await fresh.close()
        times.sort()
        self.report = Report(
            sent=number,
            failed=number - sum(count for status, count in statuses.items() if status.startswith("2")),
            statuses=dict(statuses),
            p50_ms=round(times[len(times) // 2], 1) if times else 0.0,
            p99_ms=round(times[int(len(times) * 0.99)], 1) if times else 0.0,
            max_ms=round(times[-1], 1) if times else 0.0,
        )
