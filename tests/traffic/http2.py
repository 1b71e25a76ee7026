"""HTTP/2 (RFC 9113): many requests at once on few connections."""

from __future__ import annotations

import asyncio
import contextlib
import functools

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.traffic.wire import Answer, Exchange, Lost, Request, Take, Target, cause

CONNECTIONS = 2
HEAD_BYTES, GOAWAY = 9, 7
# A connection is left before its stream numbers (31 bits) could end.
MOST_STREAMS = 1_000_000


class Connection(asyncio.Protocol):
    """GOAWAY frames are kept from h2, which ends the connection at one: RFC 9113, 6.8, has what is open finish, only
    nothing new may begin, and what has a higher number than the frame names was not worked on."""

    def __init__(self) -> None:
        # Checks of what the lab's Traefik and this module write themselves take a third of the time.
        self._h2 = H2Connection(
            H2Configuration(
                client_side=True,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
            )
        )
        self._exchanges: dict[int, Exchange] = {}
        self._received = bytearray()
        self._open = True
        # Why the connection is gone.
        self.lost = ""

    @property
    def usable(self) -> bool:
        """Whether another request may begin."""
        room = min(self._h2.remote_settings.max_concurrent_streams, 200) - len(self._exchanges)
        return self._open and room > 0 and self._h2.highest_outbound_stream_id < MOST_STREAMS

    async def ask(self, headers: list[tuple[str, str]], request: Request, take: Take | None = None) -> Answer:
        if self.lost:
            raise Lost(self.lost)
        stream = self._h2.get_next_available_stream_id()
        self._exchanges[stream] = exchange = Exchange(take)
        self._h2.send_headers(stream, headers, end_stream=not request.body)
        if request.body:
            self._h2.send_data(stream, request.body, end_stream=True)
        self._flush()
        try:
            return await exchange.done
        except asyncio.CancelledError:
            self._cancel(stream)
            raise
        finally:
            self._exchanges.pop(stream, None)
            self._close_when_done()

    def retire(self) -> None:
        """Nothing new; closed when what is open is done."""
        self._open = False
        self._close_when_done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            for event in self._h2.receive_data(self._frames()):
                self._heed(event)
        except ProtocolError as error:
            self._lose_all(f"protocol: {error}")
            self._transport.abort()
            return
        self._flush()

    def eof_received(self) -> None:
        self._lose_all(cause(None))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose_all(cause(exc))

    def _frames(self) -> bytes:
        """The whole frames that have come, without any GOAWAY."""
        others, start, received = bytearray(), 0, self._received
        while len(received) - start >= HEAD_BYTES:
            end = start + HEAD_BYTES + int.from_bytes(received[start : start + 3], "big")
            if end > len(received):
                break
            if received[start + 3] == GOAWAY:
                self._leave(int.from_bytes(received[start + 9 : start + 13], "big") & 0x7FFFFFFF)
            else:
                others += received[start:end]
            start = end
        del received[:start]
        return bytes(others)

    def _leave(self, last: int) -> None:
        for stream, exchange in self._exchanges.items():
            if stream > last:
                exchange.lose("goaway: the server did not work on it")
        self.retire()

    def _heed(self, event: Event) -> None:
        exchange = self._exchanges.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        if exchange is None:
            return
        if isinstance(event, ResponseReceived):
            exchange.status = int(next(value for name, value in event.headers or () if name in (":status", b":status")))
        elif isinstance(event, DataReceived):
            exchange.piece(event.data or b"")
        elif isinstance(event, StreamEnded):
            exchange.finish()
        elif isinstance(event, StreamReset):
            exchange.lose(f"reset: the stream, with code {event.error_code}")

    def _lose_all(self, reason: str) -> None:
        self._open, self.lost = False, self.lost or reason
        for exchange in self._exchanges.values():
            exchange.lose(reason)

    def _cancel(self, stream: int) -> None:
        with contextlib.suppress(ProtocolError):
            self._h2.reset_stream(stream, ErrorCodes.CANCEL)
            self._flush()

    def _close_when_done(self) -> None:
        if not self._open and not self._exchanges:
            self._transport.close()

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._transport.write(data)


class Client:
    """Spreads requests over a few connections; one that takes no more is replaced, and finishes what it has."""

    def __init__(self, target: Target, connections: int = CONNECTIONS) -> None:
        self._target, self._turn = target, 0
        self._slots: list[asyncio.Task[Connection] | None] = [None] * connections

    async def ask(self, request: Request, take: Take | None = None) -> Answer:
        while True:
            connection = await self._connection()
            # Others waited for the same connection and may have filled it. One that broke before it was used is a failure.
            if connection.usable or connection.lost:
                return await connection.ask(headers(self._target.domain, request), request, take)

    async def _connection(self) -> Connection:
        self._turn = (self._turn + 1) % len(self._slots)
        task = self._slots[self._turn]
        if task is None or (task.done() and not _usable(task)):
            task = asyncio.ensure_future(self._target.connect(Connection, self._target.http2))
            self._slots[self._turn] = task
        # Several requests wait for it: the first to run out of time must not take it from the others.
        return await asyncio.shield(task)


def _usable(task: asyncio.Task[Connection]) -> bool:
    if task.cancelled() or task.exception():
        return False
    if not task.result().usable:
        task.result().retire()
        return False
    return True


@functools.lru_cache
def headers(domain: str, request: Request) -> list[tuple[str, str]]:
    found = [(":method", request.method), (":scheme", "https"), (":authority", domain), (":path", request.path)]
    found += [("user-agent", "signupflow-traffic"), ("accept", "*/*")]
    if request.token:
        found.append(("authorization", f"Bearer {request.token}"))
    if request.body:
        found += [("content-type", "application/json"), ("content-length", str(len(request.body)))]
    return found
