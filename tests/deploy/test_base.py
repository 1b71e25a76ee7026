"""What a host lets in and leads on: sshd's settings and the firewall's, as they are written."""

from __future__ import annotations

from typing import Any

from deploys import base
from deploys.base import TEMPLATES
from signupflow.render import template
from tests.deploy.standing import CLUSTER, ONE, standing

__all__ = ["standing"]  # a fixture


def sshd(fleet: Any, host: str) -> list[str]:
    with fleet.on(host):
        return template(TEMPLATES / "sshd.conf.j2", deploy_user="deploy", jumps=base.jumps()).splitlines()


def firewall(fleet: Any, host: str) -> str:
    with fleet.on(host):
        return template(TEMPLATES / "firewall.nft.j2", **base.rules())


def test_d5_a_single_host_forwards_nothing(standing: Any) -> None:
    written = sshd(standing(ONE), "web1")
    assert "AllowTcpForwarding no" in written
    assert not [line for line in written if line.startswith("PermitOpen")]


def test_d5_a_host_of_several_is_a_way_to_the_others_and_to_nowhere_else(standing: Any) -> None:
    """Whoever reaches the hosts by way of the edge (ProxyJump in ~/.ssh/config) is not locked out of them."""
    written = sshd(standing(CLUSTER), "edge1")
    assert "AllowTcpForwarding local" in written
    assert "PermitOpen 10.0.0.2:* 10.0.0.3:* 10.0.0.4:* db1:* web1:* web2:*" in written


def test_d1_the_edge_counts_connections_of_each_address_and_no_other_host_does(standing: Any) -> None:
    fleet = standing(CLUSTER, edge_connections=321)
    rule = "tcp dport { 80, 443 } ct state new add @web_clients { ip saddr ct count over 321 } drop"
    assert rule in firewall(fleet, "edge1")
    assert "ct count" not in firewall(fleet, "web1")


def test_b9_a_proxys_connections_are_not_one_clients(standing: Any) -> None:
    fleet = standing(ONE, trusted_edge_proxies=["192.0.2.0/24", "2001:db8::/32"])
    assert "ct state new ip saddr != { 192.0.2.0/24 } add @web_clients" in firewall(fleet, "web1")
