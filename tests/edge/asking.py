"""Requests to the edge by its domain's name, from an address of one's choice."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing

from tests.edge.traefik import DOMAIN, Traefik


class Connection(http.client.HTTPSConnection):
    """From `source`: all of 127.0.0.0/8 is this machine's, so clients can have addresses of their own."""

    def __init__(self, edge: Traefik, source: str = "127.0.0.1", before: bytes = b"") -> None:
        super().__init__(DOMAIN, edge.port, context=edge.tls, timeout=60)
        self._edge, self._source, self._before = edge, source, before

    def connect(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self._edge.port), self.timeout, source_address=(self._source, 0))
        raw.sendall(self._before)
        self.sock = self._edge.tls.wrap_socket(raw, server_hostname=DOMAIN)


def ask(
    edge: Traefik,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    source: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
    before: bytes = b"",
) -> tuple[int, bytes]:
    """Status and body. `before` is said on the connection before TLS begins."""
    with closing(Connection(edge, source, before)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
