"""A server that answers as it is asked to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import collections
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Backend:
    """`/status/502` answers so, `/slow/20` after so many seconds, `/stream` without an end, `/slam` closes without an answer; any
    other path says how many bytes of a body arrived. `executed` counts by method and path.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.executed: collections.Counter[str] = collections.Counter()
        self.clients: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Backend:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=2048))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._do(self._stopped())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _stopped(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (OSError, ValueError, asyncio.IncompleteReadError):  # the client went
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        self.executed[f"{method} {path}"] += 1
        self.clients.append(headers.get("x-forwarded-for", ""))
        what, _, argument = path.strip("/").partition("/")
        if what == "slam":
            return False
        if what == "stream":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"4\r\n: x\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.5)
        size = await _discarded(reader, headers)
        if what == "slow":
            await asyncio.sleep(float(argument))
        status = int(argument) if what == "status" else 200
        body = str(size).encode()
        writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True


async def _discarded(reader: asyncio.StreamReader, headers: dict[str, str]) -> int:
    """Read a body and return how many bytes it had."""
    total = 0
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
            total += size
        await reader.readline()
        return total
    left = int(headers.get("content-length", "0"))
    while total < left:
        got = await reader.read(min(1 << 16, left - total))
        if not got:
            raise asyncio.IncompleteReadError(b"", left)
        total += len(got)
    return total
