"""Event streams that stay open and are opened again when they end, as a browser's EventSource does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from tests.traffic.report import STREAM, STREAM_AGAIN, STREAM_END
from tests.traffic.wire import Answer, Lost, Request, Take

# Until the stream's first event. A heartbeat comes every 15 s.
OPEN_SECONDS, SILENT_SECONDS = 15.0, 40.0
# Sooner than the 1 to 3 s that the app asks of browsers: meeting a replica that still goes away is the harder case.
AGAIN_SECONDS, AFTER_FAILURE_SECONDS = 0.1, 1.0

Open = Callable[[Request, Take], Coroutine[Any, Any, Answer]]
# Kind, seconds on the loop's clock when it was sent (or ended), error.
Count = Callable[[str, float, str], None]


class Listener:
    """What came over one stream."""

    def __init__(self) -> None:
        self.opened, self.bye, self.heard_at = asyncio.Event(), False, time.monotonic()
        self._rest = b""

    def take(self, piece: bytes) -> None:
        self.heard_at = time.monotonic()
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if lines and not self.opened.is_set():
            self.opened.set()
        self.bye = self.bye or b"event: bye" in lines


class Stream:
    """One listener's stream; `run` goes on until it is cancelled. `is_open`: it was heard of, and has not ended."""

    def __init__(self, request: Request, open_: Open, count: Count) -> None:
        self._request, self._open, self._count = request, open_, count
        self.is_open = False

    async def run(self) -> None:
        kind = STREAM
        while True:
            listener = Listener()
            asking = asyncio.ensure_future(self._open(self._request, listener.take))
            try:
                good = await self._once(kind, listener, asking)
            finally:
                self.is_open = False
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            kind = STREAM_AGAIN
            await asyncio.sleep(AGAIN_SECONDS if good else AFTER_FAILURE_SECONDS)

    async def _once(self, kind: str, listener: Listener, asking: asyncio.Future[Answer]) -> bool:
        """Whether it began and ended as it should."""
        sent = time.monotonic()
        opening = asyncio.ensure_future(listener.opened.wait())
        either: set[asyncio.Future[Any]] = {asking, opening}
        await asyncio.wait(either, timeout=OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()
        error = "" if listener.opened.is_set() else _ending(asking) or "timeout: no stream"
        self._count(kind, sent, error)
        if error:
            return False
        self.is_open = True
        while not asking.done() and time.monotonic() - listener.heard_at < SILENT_SECONDS:
            await asyncio.wait({asking}, timeout=5)
        error = "" if listener.bye else f"broken: {_ending(asking) or 'no heartbeat'}"
        self._count(STREAM_END, time.monotonic(), error)
        return not error


def _ending(asking: asyncio.Future[Answer]) -> str:
    """How it ended, as a Record has it; empty when it has not."""
    if not asking.done():
        return ""
    error = asking.exception()
    if isinstance(error, Lost):
        return str(error)
    if error:
        raise error
    answer = asking.result()
    return f"http: {answer.status} {answer.body[:100]!r}" if answer.status != 200 else "closed: the stream ended without bye"
