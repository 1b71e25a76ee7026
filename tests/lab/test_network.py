from ipaddress import IPv4Network
from itertools import islice

import pytest

from lab import network
from lab.errors import LabError

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_a_name_always_starts_at_the_same_subnet() -> None:
    assert network.choose_subnet("lab", []) == network.choose_subnet("lab", [])
    assert network.choose_subnet("lab", []) != network.choose_subnet("other", [])


def test_candidates_are_distinct_and_inside_their_range() -> None:
    found = list(islice(network.candidates("lab"), 64 * 256))
    assert len(set(found)) == 64 * 256
    assert all(net.subnet_of(IPv4Network("10.64.0.0/10")) for net in found)


def test_a_taken_subnet_is_passed_over() -> None:
    first = network.choose_subnet("lab", [])
    second = network.choose_subnet("lab", [first])
    assert not second.overlaps(first)
    wide = first.supernet(new_prefix=16)
    assert not network.choose_subnet("lab", [wide]).overlaps(wide)


def test_no_free_subnet_is_one_clear_line() -> None:
    with pytest.raises(LabError, match="no free"):
        network.choose_subnet("lab", [IPv4Network("10.0.0.0/8")])


def test_routes_of_the_machine_count_as_taken() -> None:
    assert network.routed(ROUTES) == [IPv4Network("192.0.2.0/24"), IPv4Network("172.17.0.0/16")]
    assert network.default_interface(ROUTES) == "eth0"
    assert network.default_interface("Iface\n") is None


def test_a_stub_resolver_is_replaced_by_what_it_forwards_to() -> None:
    assert network.upstream_nameservers("nameserver 192.0.2.53\n") == ["192.0.2.53"]
    assert network.upstream_nameservers("nameserver 127.0.0.53\n", "nameserver 192.0.2.1\nnameserver fd00::1\n") == ["192.0.2.1"]
    assert network.upstream_nameservers("nameserver 127.0.0.53\n") == []


def test_dns_answers_the_zone_itself_and_forwards_the_rest() -> None:
    config = network.dnsmasq_config("demo.test", {"h1.demo.test": "10.70.1.11"}, ["192.0.2.53"]).splitlines()
    assert "local=/demo.test/" in config
    assert "host-record=h1.demo.test,10.70.1.11" in config
    assert "server=192.0.2.53" in config
    assert "no-resolv" in config


def test_server_addresses_stay_clear_of_the_gateway_and_the_hosts() -> None:
    octets = list(network.SERVERS.values())
    assert len(set(octets)) == len(octets)
    assert min(octets) > 1
    assert max(octets) < network.FIRST_HOST
    assert network.FIRST_HOST + network.MAX_HOSTS < 255
