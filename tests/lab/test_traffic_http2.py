"""The HTTP/2 client where a server says goodbye: against a server's state machine, without a network."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import GoAwayFrame

from tests.traffic.http2 import Connection, headers
from tests.traffic.wire import Answer, Lost, Request

REQUEST = Request("GET", "/health/live")


class Wire(asyncio.Transport):
    """What is written is kept for the server."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = bytearray(), False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


class Server:
    def __init__(self) -> None:
        self.wire, self.client = Wire(), Connection()
        self.client.connection_made(self.wire)
        self._h2 = H2Connection(H2Configuration(client_side=False))
        self._h2.initiate_connection()
        self._send()

    def answer(self, stream: int) -> None:
        self._take()
        self._h2.send_headers(stream, [(":status", "200")])
        self._h2.send_data(stream, b"whole", end_stream=True)
        self._send()

    def begin(self, stream: int) -> None:
        self._take()
        self._h2.send_headers(stream, [(":status", "200")])
        self._send()

    def goodbye(self, last: int) -> None:
        """As Go's server does, the connection stays open for what is under way."""
        frame = GoAwayFrame(0, last_stream_id=last).serialize()
        # In pieces, as a network may have it.
        self.client.data_received(frame[:5])
        self.client.data_received(frame[5:])

    def _take(self) -> None:
        self._h2.receive_data(bytes(self.wire.written))
        self.wire.written.clear()

    def _send(self) -> None:
        self.client.data_received(self._h2.data_to_send())


async def asked(server: Server) -> asyncio.Task[Answer]:
    asking: Coroutine[Any, Any, Answer] = server.client.ask(headers("a.test", REQUEST), REQUEST)
    task = asyncio.create_task(asking)
    await asyncio.sleep(0)
    return task


def test_what_is_under_way_at_goodbye_is_answered_and_nothing_new_begins() -> None:
    async def told_goodbye() -> None:
        server = Server()
        first = await asked(server)
        server.goodbye(last=2**31 - 1)
        assert not server.client.usable
        assert not server.wire.closed
        server.answer(1)
        assert await first == Answer(200, b"whole")
        assert server.wire.closed

    asyncio.run(told_goodbye())


def test_what_the_server_did_not_work_on_is_a_failure() -> None:
    async def told_goodbye() -> None:
        server = Server()
        first, second = await asked(server), await asked(server)
        server.goodbye(last=1)
        with pytest.raises(Lost, match=r"^goaway: "):
            await second
        server.answer(1)
        assert (await first).status == 200

    asyncio.run(told_goodbye())


def test_a_connection_that_ends_loses_what_it_had() -> None:
    async def cut() -> None:
        server = Server()
        first, second = await asked(server), await asked(server)
        server.begin(1)
        server.client.eof_received()
        with pytest.raises(Lost, match=r"^incomplete: 0 bytes of a 200, then closed: "):
            await first
        with pytest.raises(Lost, match=r"^closed: "):
            await second
        third = await asked(server)
        with pytest.raises(Lost, match=r"^closed: "):
            await third

    asyncio.run(cut())
