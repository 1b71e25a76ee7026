"""When Traefik orders certificates: the real one, with a CA that answers nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.waiting import wait_for
from signupflow.release.certificates import FAILED
from signupflow.routing import routers
from tests.edge.traefik import DOMAIN, Traefik

pytestmark = pytest.mark.slow


class Uncertified(Traefik):
    """An edge on its first day: routes by settings, no certificate, no app."""

    def _certificate(self) -> None:
        pass

    def order(self, *domains: str) -> None:
        (self.folder / "dynamic" / "app.yaml").write_text(routers("app", self.settings.domains, 15, domains))

    @property
    def failed_orders(self) -> int:
        return (self.folder / "log").read_text().count(FAILED)

    def confirmed(self) -> None:
        self._settled()


def test_b10_traefik_orders_what_a_router_asks_for_and_no_change_of_routes_orders_the_rest(tmp_path: Path) -> None:
    with Uncertified(tmp_path / "edge", ["http://127.0.0.1:9"]) as edge:
        # Its router asks, though there is nothing behind it yet: a certificate can come before the first release.
        (edge.folder / "dynamic" / "servers.yaml").unlink()
        wait_for(lambda: edge.failed_orders, 60, "nothing was ordered")
        edge.order()
        edge.confirmed()
        before = edge.failed_orders
        for port in range(1, 5):
            edge.route([f"http://127.0.0.1:{port}"])
            edge.confirmed()
        edge.order(DOMAIN)
        wait_for(lambda: edge.failed_orders > before, 60, "what the next deploy asks for was not ordered")
        assert edge.failed_orders == before + 1
