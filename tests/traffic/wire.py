"""What both protocols' clients have in common: where they connect, what they ask, what becomes of it.

The clients are written here, on httptools and h2, because those of the libraries hide or make failures (a request sent
again; one put on a connection that the server has said goodbye to) and take several times the processor time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)

# Takes a piece of a 200's body.
Take = Callable[[bytes], None]


class Lost(Exception):
    """A request without a whole answer: "<what failed>: <details>", as a Record has it."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True)
class Target:
    """The public entry: every name is at this address, and its certificate is of this authority."""

    address: str
    domain: str
    ca_file: str
    port: int = 443

    @cached_property
    def http1(self) -> ssl.SSLContext:
        return self._context("http/1.1")

    @cached_property
    def http2(self) -> ssl.SSLContext:
        return self._context("h2")

    def _context(self, protocol: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.set_alpn_protocols([protocol])
        return context

    async def connect(self, protocol: Callable[[], Protocol], context: ssl.SSLContext) -> Protocol:
        """A connection after its TLS handshake."""
        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_connection(protocol, self.address, self.port, ssl=context, server_hostname=self.domain)
        except OSError as error:
            raise Lost(cause(error)) from error
        return made


class Exchange:
    """One request on its way: `done` becomes its Answer, or a Lost."""

    def __init__(self, take: Take | None = None) -> None:
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.status = 0
        self._take, self._body, self.size = take, bytearray(), 0

    def piece(self, data: bytes) -> None:
        self.size += len(data)
        if self._take and self.status == 200:
            self._take(data)
        else:
            self._body += data

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(Answer(self.status, bytes(self._body)))

    def lose(self, reason: str) -> None:
        """`reason` is "<what failed>: <details>"; what breaks after the answer's head was there is incomplete."""
        if not self.done.done():
            whole = reason if not self.status else f"incomplete: {self.size} bytes of a {self.status}, then {reason}"
            self.done.set_exception(Lost(whole))


def cause(error: BaseException | None) -> str:
    """An error of a connection, as a Record has it."""
    if error is None:
        return "closed: by the server"
    names: tuple[tuple[type[BaseException], str], ...] = (
        (ConnectionRefusedError, "refused"),
        (ConnectionError, "reset"),
        (ssl.SSLError, "tls"),
        (TimeoutError, "timeout"),
    )
    name = next((name for kind, name in names if isinstance(error, kind)), "unreachable")
    return f"{name}: {error or type(error).__name__}"
