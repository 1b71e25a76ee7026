"""Open-loop HTTPS load against the lab: requests leave on schedule whether or not earlier ones were answered."""

from __future__ import annotations

import asyncio
import collections
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from lab.client import Lab


@dataclass(frozen=True)
class Call:
    """One request of the load."""

    method: str = "GET"
    path: str = "/health/live"
    body: Any = None
    token: str = ""


@dataclass(frozen=True)
class Failure:
    """A request that was not answered 2xx: when it was sent (seconds since the load began), and how long it took."""

    sent_at: float
    seconds: float
    method: str
    status: str


@dataclass
class Report:
    """What became of the requests. Times are in milliseconds; `statuses` counts HTTP codes and error classes."""

    sent: int = 0
    failed: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    failed_by_method: dict[str, int] = field(default_factory=dict)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    failures: list[Failure] = field(default_factory=list, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """For evidence: everything but the single failures."""
        return {key: value for key, value in asdict(self).items() if key != "failures"}

    def failing_seconds(self) -> float:
        """Seconds between the sending of the first and of the last request that failed; 0 for none or one."""
        moments = [failure.sent_at for failure in self.failures]
        return round(max(moments) - min(moments), 2) if moments else 0.0


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

    def __init__(
        self,
        lab: Lab,
        rate: float,
        seconds: float,
        path: str = "/health/live",
        domain: str = "",
        calls: Callable[[int], Call] | None = None,
        timeout: float = 15,
    ) -> None:
        self.lab, self.rate, self.seconds, self.timeout = lab, rate, seconds, timeout
        self.calls = calls or (lambda number: Call(path=path))
        self.domain = domain or lab["domains"][0]
        self.report = Report()
        self._began = time.perf_counter()
        # Unix time at which the load began, to place other clocks' moments on `elapsed`.
        self.epoch = time.time()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the load began: the clock of its failures."""
        return time.perf_counter() - self._began

    def until(self, seconds: float) -> None:
        """Return when the load has run this long."""
        time.sleep(max(0.0, seconds - self.elapsed))

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
        session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=self.timeout))
        session._retry_connection = False
        return session

    async def _run(self) -> None:
        statuses: collections.Counter[str] = collections.Counter()
        times: list[float] = []
        failures: list[Failure] = []
        kept, fresh = self._session(False), self._session(True)

        async def one(number: int) -> None:
            call, started = self.calls(number), time.perf_counter()
            session = fresh if number % 5 < 2 else kept
            headers = {"Authorization": f"Bearer {call.token}"} if call.token else {}
            try:
                async with session.request(
                    call.method, f"https://{self.domain}{call.path}", json=call.body, headers=headers
                ) as response:
                    await response.read()
                    status = str(response.status)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                status = type(error).__name__
            took = time.perf_counter() - started
            statuses[status] += 1
            times.append(took * 1000)
            if not status.startswith("2"):
                failures.append(Failure(round(started - self._began, 3), round(took, 3), call.method, status))

        tasks: set[asyncio.Task[None]] = set()
        self._began = begun = time.perf_counter()
        self.epoch = time.time()
        number = 0
        while not self._stopped.is_set() and number < int(self.rate * self.seconds):
            await asyncio.sleep(max(0.0, begun + number / self.rate - time.perf_counter()))
            task = asyncio.create_task(one(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)
        await kept.close()
        await fresh.close()
        # TLS connections close in the loop's next turns (aiohttp's documentation, graceful shutdown).
        await asyncio.sleep(0.25)
        times.sort()
        self.report = Report(
            sent=number,
            failed=len(failures),
            statuses=dict(statuses),
            failed_by_method=dict(collections.Counter(failure.method for failure in failures)),
            p50_ms=round(times[len(times) // 2], 1) if times else 0.0,
            p99_ms=round(times[int(len(times) * 0.99)], 1) if times else 0.0,
            max_ms=round(times[-1], 1) if times else 0.0,
            failures=sorted(failures, key=lambda failure: failure.sent_at),
        )
