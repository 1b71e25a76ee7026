"""Runs a check that may hang without ever hanging with it."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedCheck(Generic[T]):
    """Runs `function` in a daemon thread, one at a time; callers at the same moment share the run.

    `await check()` gives its result, raises what it raised, or raises TimeoutError when it has run for `limit` seconds.
    A run that hangs is left to itself: until it ends, every call fails at once, and the process can still exit.
    """

    def __init__(self, function: Callable[[], T], limit: float) -> None:
        self._function, self._limit = function, limit
        self._running: asyncio.Future[T] | None = None
        self._began = 0.0

    async def __call__(self) -> T:
        if self._running is None or self._running.done():
            self._running = self._start()
        left = self._limit - (time.monotonic() - self._began)  # not positive: wait_for gives up at once
        return await asyncio.wait_for(asyncio.shield(self._running), left)

    def _start(self) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        # Marks an exception as seen even when the caller has gone, or asyncio reports it at exit.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._began = time.monotonic()

        def run() -> None:
            try:
                settle, outcome = future.set_result, self._function()
            except Exception as error:
                settle, outcome = future.set_exception, error  # type: ignore[assignment]
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(settle, outcome)

        threading.Thread(target=run, name="health-check", daemon=True).start()
        return future
