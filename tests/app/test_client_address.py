"""The client's address is read from the right, through our own proxies only."""

import ipaddress

import pytest

from app.client_address import client_address

TRUSTED = [ipaddress.ip_network("172.16.0.0/12"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("172.18.0.2", [], "172.18.0.2"),
        ("172.18.0.2", ["198.51.100.1"], "198.51.100.1"),
        ("172.18.0.2", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("172.18.0.2", ["1.1.1.1", "198.51.100.1, 172.19.0.3"], "198.51.100.1"),
        ("172.18.0.2", ["1.1.1.1, nonsense"], "172.18.0.2"),
        ("172.18.0.2", ["198.51.100.1:4711"], "198.51.100.1"),
        ("172.18.0.2", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("fd00::2", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:172.18.0.2", ["198.51.100.1"], "198.51.100.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_fr019_client_address(peer: str, forwarded: list[str], expected: str) -> None:
    assert client_address(peer, forwarded, TRUSTED) == expected


def test_fr019_nobody_is_believed_by_default() -> None:
    assert client_address("172.18.0.2", ["198.51.100.1"], []) == "172.18.0.2"
