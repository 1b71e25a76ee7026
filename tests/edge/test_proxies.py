"""Behind a CDN or a balancer: whose word for the client's address is taken, and what counts by it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.client_address import client_address
from lab.waiting import wait_for
from signupflow.fleet import Fleet, Member
from signupflow.settings.edge import Edge
from tests.edge.asking import Connection, ask
from tests.edge.backend import Backend
from tests.edge.traefik import SETTINGS, Traefik

PROXY, STRANGER = "127.0.0.7", "127.0.0.9"
ANN, BO = "198.51.100.1", "198.51.100.2"


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as found:
        yield found


def by_header(client: str) -> dict[str, Any]:
    """How a CDN at PROXY says who asks; what the client wrote itself stands before."""
    return {"source": PROXY, "headers": {"X-Forwarded-For": f"203.0.113.66, {client}"}}


def by_protocol(client: str) -> dict[str, Any]:
    return {"source": PROXY, "before": f"PROXY TCP4 {client} 127.0.0.1 50000 443\r\n".encode()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("says", "settings"),
    [
        (by_header, {"trusted_edge_proxies": ("127.0.0.7/32",)}),
        (by_protocol, {"trusted_edge_proxies": ("127.0.0.7",), "edge_proxy_protocol": True}),
    ],
    ids=["header", "PROXY protocol"],
)
def test_b9_each_client_behind_a_trusted_proxy_counts_for_itself(
    backend: Backend, tmp_path: Path, says: Any, settings: dict[str, Any]
) -> None:
    with Traefik(tmp_path / "edge", [backend.url], edge_requests_in_flight=10, **settings) as edge, ExitStack() as stack:
        _hold(edge, backend, stack, says(ANN))
        assert ask(edge, "/", **says(ANN))[0] == 429
        assert ask(edge, "/", **says(BO))[0] == 200
        # The app is told of the client, and of the proxies that it may believe.
        assert BO in backend.clients[-1]


@pytest.mark.slow
def test_b9_nobody_elses_word_is_taken(backend: Backend, tmp_path: Path) -> None:
    """By default, and with a proxy named: what a stranger says of who asks counts for nothing."""
    both: tuple[dict[str, Any], ...] = ({}, {"trusted_edge_proxies": (PROXY,)})
    for number, settings in enumerate(both):
        with Traefik(tmp_path / str(number), [backend.url], edge_requests_in_flight=10, **settings) as edge, ExitStack() as stack:
            said = {**by_header(ANN), "source": STRANGER}
            assert ask(edge, "/", **said)[0] == 200
            assert backend.clients[-1] == STRANGER
            _hold(edge, backend, stack, said)
            assert ask(edge, "/", **{**by_header(BO), "source": STRANGER})[0] == 429
            with pytest.raises(OSError):  # noqa: PT011 - a TLS error or a reset, by who is faster
                ask(edge, "/", **{**by_protocol(BO), "source": STRANGER})


def _hold(edge: Traefik, backend: Backend, stack: ExitStack, who: dict[str, Any]) -> None:
    """Ten requests under way of one client."""
    began = backend.executed["PUT /held"]
    for _ in range(10):
        connection = stack.enter_context(closing(Connection(edge, who["source"], who.get("before", b""))))
        connection.putrequest("PUT", "/held")
        for name, value in {**who.get("headers", {}), "Content-Length": "10"}.items():
            connection.putheader(name, value)
        connection.endheaders()
    wait_for(lambda: backend.executed["PUT /held"] - began == 10, 30, "not all requests reached the app")


def test_b9_the_app_counts_the_client_and_not_the_proxy() -> None:
    """Its rate limits go by what it makes of X-Forwarded-For, with what a deploy fills in for $trusted_proxies."""
    fleet = Fleet.of([Member("web1", frozenset({"edge", "app", "db"}))], ["web1"])
    edge = Edge(**SETTINGS, trusted_edge_proxies=("192.0.2.1", "2001:db8::/32"))
    trusted = fleet.trusted_proxies("web1", edge.forwarding_proxies)
    assert trusted == "172.16.0.0/12,192.168.0.0/16,192.0.2.1/32,2001:db8::/32"
    networks = [ipaddress.ip_network(text) for text in trusted.split(",")]
    for proxy in ("192.0.2.1", "2001:db8::7"):
        assert client_address("172.20.0.2", [f"203.0.113.66, {ANN}, {proxy}"], networks) == ANN
    # A balancer of connections is not in the header, and nobody else is believed there.
    by_protocol_alone = Edge(**SETTINGS, trusted_edge_proxies=("192.0.2.1",), edge_proxy_protocol=True)
    assert fleet.trusted_proxies("web1", by_protocol_alone.forwarding_proxies) == fleet.trusted_proxies("web1")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trusted_edge_proxies": ("cdn.lab.invalid",)}, "no address"),
        ({"trusted_edge_proxies": ("0.0.0.0/0",)}, "most of the internet"),
        ({"trusted_edge_proxies": ("::/0",)}, "most of the internet"),
        ({"edge_proxy_protocol": True}, "needs trusted_edge_proxies"),
    ],
)
def test_b9_what_would_let_anybody_be_anybody_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Edge(**{**SETTINGS, **settings})
