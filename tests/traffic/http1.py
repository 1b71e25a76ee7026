"""HTTP/1.1, on connections that are kept or that serve one request."""

from __future__ import annotations

import asyncio
import collections
import functools
import time

import httptools

from tests.traffic.wire import Answer, Exchange, Lost, Request, Take, Target, cause

# The lab's Traefik keeps idle connections for 180 s: long before that they are closed at this end, so that no request
# meets a connection that is being closed for its age.
IDLE_SECONDS = 60.0
# How far ahead of its pace a body may be read.
AHEAD_SECONDS = 0.02


class Connection(asyncio.Protocol):
    """One request at a time. Callbacks `on_...` are httptools'."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._pace, self._began = 0.0, 0.0
        self.reusable, self.idle_since = True, 0.0

    async def ask(self, head: bytes, request: Request, take: Take | None = None, pace: float = 0.0) -> Answer:
        """`pace`: bytes a second at which the body is taken, 0 for as fast as it comes."""
        self._exchange = exchange = Exchange(take)
        self._pace, self._began = pace, time.monotonic()
        if not self.reusable:
            raise Lost(cause(None))
        self._transport.write(head + request.body)
        try:
            return await exchange.done
        finally:
            self._exchange, self.idle_since = None, time.monotonic()

    def close(self) -> None:
        self.reusable = False
        self._transport.close()

    def abort(self) -> None:
        self.reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._exchange:
                self._exchange.lose(f"protocol: {error}")
            self.abort()

    def eof_received(self) -> None:
        """Nothing more comes. TLS would wait up to 30 s for its own goodbye before `connection_lost`."""
        self.reusable = False
        if self._exchange:
            self._exchange.lose(cause(None))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if self._exchange:
            self._exchange.lose(cause(exc))

    def on_headers_complete(self) -> None:
        if self._exchange:
            self._exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self._exchange:
            return
        self._exchange.piece(body)
        if self._pace:
            ahead = self._exchange.size / self._pace - (time.monotonic() - self._began)
            if ahead > AHEAD_SECONDS and self._transport.is_reading():
                self._transport.pause_reading()
                asyncio.get_running_loop().call_later(ahead, self._go_on)

    def on_message_complete(self) -> None:
        self.reusable = self.reusable and self._parser.should_keep_alive()
        if self._exchange:
            self._exchange.finish()

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


class Client:
    """Kept connections, the one that has waited longest first; and new ones for a single request."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle: collections.deque[Connection] = collections.deque()

    async def ask(self, request: Request) -> Answer:
        connection = self._kept() or await self._connect()
        try:
            answer = await connection.ask(head(self._target.domain, request, True), request)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            self._idle.append(connection)
        return answer

    async def ask_once(self, request: Request, take: Take | None = None, pace: float = 0.0) -> Answer:
        connection = await self._connect()
        try:
            answer = await connection.ask(head(self._target.domain, request, False), request, take, pace)
        except BaseException:
            connection.abort()
            raise
        connection.close()
        return answer

    async def _connect(self) -> Connection:
        return await self._target.connect(Connection, self._target.http1)

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.reusable and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return None


@functools.lru_cache
def head(domain: str, request: Request, keep: bool) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {domain}", "User-Agent: signupflow-traffic", "Accept: */*"]
    if request.token:
        lines.append(f"Authorization: Bearer {request.token}")
    if request.body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(request.body)}"]
    if not keep:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()
