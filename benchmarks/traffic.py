"""Open-loop HTTPS load that keeps every request's moment and latency, so that a part of it can be judged alone."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from tests.load import Call

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Timed(Call):
    """A request that takes `seconds` by itself."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Target:
    """Where the load goes: an address and port, and the name that it asks for there."""

    address: str
    port: int
    domain: str
    tls: ssl.SSLContext


@dataclass(frozen=True)
class Sent:
    """One request: Unix time at which it left, milliseconds beyond what it takes by itself, HTTP code or error class."""

    at: float
    ms: float
    status: str


def mixed(number: int) -> Timed:
    """Half GET, half POST; two of a hundred take a second (of those, one on a new connection and one on a kept one)."""
    if number % 100 in (8, 56):
        return Timed(path="/faults/slow?seconds=1", seconds=1.0)
    return Timed("POST", "/faults/ready", body={"text": "x" * 200}) if number % 2 else Timed()


class Traffic:
    """`with Traffic(target, calls, rate) as traffic: ...`, then `traffic.sent`.

    Requests leave on schedule whether or not earlier ones were answered, two of five on new TLS connections, and none
    is sent a second time. `rate` is in requests per second.
    """

    def __init__(self, target: Target, calls: Callable[[int], Timed], rate: float) -> None:
        self.target, self.calls, self.rate = target, calls, rate
        self.sent: list[Sent] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT_SECONDS + 30)

    async def _run(self) -> None:
        kept, fresh = self._session(False), self._session(True)
        tasks: set[asyncio.Task[None]] = set()
        began, number = time.perf_counter(), 0
        while not self._stop.is_set():
            await asyncio.sleep(max(0.0, began + number / self.rate - time.perf_counter()))
            task = asyncio.create_task(self._one(fresh if number % 5 < 2 else kept, self.calls(number)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)
        await kept.close()
        await fresh.close()
        # TLS connections close in the loop's next turns (aiohttp's documentation, graceful shutdown).
        await asyncio.sleep(0.25)

    def _session(self, force_close: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=self.target.tls, force_close=force_close, limit=0)
        session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        session._retry_connection = False
        return session

    async def _one(self, session: aiohttp.ClientSession, call: Timed) -> None:
        url = f"https://{self.target.address}:{self.target.port}{call.path}"
        headers = {"Host": self.target.domain} | ({"Authorization": f"Bearer {call.token}"} if call.token else {})
        at, began = time.time(), time.perf_counter()
        try:
            async with session.request(
                call.method, url, json=call.body, headers=headers, server_hostname=self.target.domain
            ) as response:
                await response.read()
                status = str(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            status = type(error).__name__
        # An answer sooner than it should be is a failure, and took what it took.
        took = time.perf_counter() - began
        self.sent.append(Sent(at, 1000 * (took - call.seconds if took > call.seconds else took), status))
