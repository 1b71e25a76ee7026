"""Who reaches whom, and how, in one host, in a cluster and in what lies between."""

from __future__ import annotations

import pytest

from deploys.app.networks import networks
from signupflow.errors import OperatorError
from signupflow.fleet import DOCKER_NETWORKS, PORTS_PER_GENERATION, Fleet, Member, all_ports, ports


def member(name: str, roles: str, address: str = "", connections: int = 0) -> Member:
    return Member(name, frozenset(roles.split()), address, connections)


SINGLE = Fleet.of([member("one", "edge app db", connections=8)], ["one"])
CLUSTER = Fleet.of(
    [
        member("edge1", "edge", "10.0.0.1"),
        member("app1", "app", "10.0.0.2", 16),
        member("app2", "app", "10.0.0.3", 16),
        member("db1", "db", "10.0.0.4"),
        member("spare1", ""),
    ],
    ["app1", "app2"],
)
# The natural first step beyond one host: a second one for the app.
GROWN = Fleet.of(
    [member("one", "edge app db", "10.0.0.1", 8), member("app2", "app", "10.0.0.2", 8)],
    ["one", "app2"],
)


def test_us8_1_roles_on_one_host_meet_on_dockers_networks() -> None:
    assert networks(SINGLE, "one", database=True) == ["signupflow-database", "signupflow-edge"]
    assert networks(SINGLE, "one", database=False) == ["signupflow-edge"]
    assert (SINGLE.database_address("one"), SINGLE.database_clients()) == ("", [])
    assert SINGLE.trusted_proxies("one") == DOCKER_NETWORKS


def test_us8_1_roles_on_several_hosts_meet_at_private_addresses() -> None:
    assert networks(CLUSTER, "app1", database=True) == ["signupflow-app"]
    assert CLUSTER.database_address("app1") == "10.0.0.4"
    assert CLUSTER.database_clients() == ["10.0.0.2", "10.0.0.3"]
    assert CLUSTER.trusted_proxies("app2") == "10.0.0.1/32"
    assert CLUSTER.apps == ("app1", "app2")


def test_us8_1_a_single_host_grows_by_an_app_host() -> None:
    assert networks(GROWN, "one", database=True) == ["signupflow-database", "signupflow-edge"]
    assert networks(GROWN, "app2", database=True) == ["signupflow-app"]
    assert GROWN.database_clients() == ["10.0.0.2"]


def test_us8_1_an_app_beside_the_edge_leaves_for_postgresql_by_its_own_bridge() -> None:
    fleet = Fleet.of([member("web", "edge app", "10.0.0.1", 8), member("db1", "db", "10.0.0.2")], ["web"])
    attached = networks(fleet, "web", database=True)
    assert attached == ["signupflow-app", "signupflow-edge"]
    assert attached == sorted(attached), "Docker takes its default route from the first in alphabetical order"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([member("a", "edge app")], "no host in group db"),
        ([member("a", "edge app db", "10.0.0.1"), member("b", "edge", "10.0.0.2")], "a, b are all edge hosts"),
        ([member("a", "edge app db", "10.0.0.1"), member("b", "db", "10.0.0.2")], "a, b are all db hosts"),
        ([member("a", "edge app db", "10.0.0.1"), member("b", "app")], "private_address of b is missing"),
        ([member("a", "edge app db", "127.0.0.1"), member("b", "app", "10.0.0.2")], "private_address of a is 127.0.0.1"),
        ([member("a", "edge app db", "10.0.0.1"), member("b", "app", "10.0.0.1")], "that of a as well"),
    ],
)
def test_us8_1_an_inventory_that_cannot_work_is_refused(members: list[Member], said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        Fleet.of(members, [])


def test_us8_1_replicas_of_two_generations_must_fit_postgresqls_connections() -> None:
    CLUSTER.check_connections(2 * 32 + 8)
    with pytest.raises(OperatorError, match=r"2 x 32 connections \(app1 16, app2 16\), 72 with 8 reserved.* is 71: raise it"):
        CLUSTER.check_connections(71)


def test_us5_2_successive_generations_never_share_a_port() -> None:
    for generation in range(1, 6):
        now, following = ports(18000, generation, PORTS_PER_GENERATION), ports(18000, generation + 1, PORTS_PER_GENERATION)
        assert not set(now) & set(following)
    assert all_ports(18000) == "18000-18127"
    with pytest.raises(ValueError, match="65 replicas"):
        ports(18000, 1, 65)
