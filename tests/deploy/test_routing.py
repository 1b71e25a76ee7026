"""The two files that Traefik watches: pure text in, text out."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from signupflow.routing import Serving, replica_names, routers

DOMAINS = ["a.helpers.org", "b.helpers.org"]
BOTH = (
    Serving().having("web1", 3, ["http://10.0.0.2:18064"]).having("web2", 8, ["http://10.0.0.3:18000", "http://10.0.0.3:18001"])
)

hosts = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    st.tuples(
        st.integers(1, 10**6), st.lists(st.from_regex(r"http://[a-z0-9.-]+:[0-9]+", fullmatch=True), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=4,
)


def services(serving: Serving) -> dict[str, dict[str, dict[str, object]]]:
    document = yaml.safe_load(serving.render("app", "/ready", "a.helpers.org"))
    found: dict[str, dict[str, dict[str, object]]] = document["http"]["services"]
    return found


def test_us4_4_each_domain_has_a_router_so_that_it_gets_its_own_certificate() -> None:
    document = yaml.safe_load(routers("app", DOMAINS, 30))["http"]
    assert [router["rule"] for router in document["routers"].values()] == ["Host(`a.helpers.org`)", "Host(`b.helpers.org`)"]
    assert {router["service"] for router in document["routers"].values()} == {"app"}


def test_us8_3_writes_are_never_repeated_by_status_alone() -> None:
    """Traefik repeats POST and PATCH only when this is set; what a server took must not happen twice."""
    retry = yaml.safe_load(routers("app", DOMAINS, 30))["http"]["middlewares"]["app-retry"]["retry"]
    assert "retryNonIdempotentMethod" not in retry
    assert retry["status"] == ["502", "504"]


def test_us8_1_servers_of_all_hosts_share_the_load_and_are_checked() -> None:
    found = services(BOTH)["app-passing"]["loadBalancer"]
    assert found["servers"] == [
        {"url": "http://10.0.0.2:18064"},
        {"url": "http://10.0.0.3:18000"},
        {"url": "http://10.0.0.3:18001"},
    ]
    assert found["healthCheck"] == {"path": "/ready", "hostname": "a.helpers.org", "interval": "0.5s", "timeout": "0.5s"}


def test_us8_3_when_no_server_passes_its_check_all_are_asked() -> None:
    found = services(BOTH)
    assert found["app"] == {"failover": {"service": "app-passing", "fallback": "app-every"}}
    assert found["app-every"]["loadBalancer"]["servers"] == found["app-passing"]["loadBalancer"]["servers"]
    assert "healthCheck" not in found["app-every"]["loadBalancer"]


def test_us8_3_a_single_server_is_not_taken_out_because_there_is_nobody_else() -> None:
    found = services(BOTH.without("web2"))
    assert set(found) == {"app", "app-every"}
    assert "healthCheck" not in found["app-every"]["loadBalancer"]


@given(hosts)
def test_us5_2_what_serves_is_read_back_from_the_file(found: dict[str, tuple[int, list[str]]]) -> None:
    serving = Serving()
    for host, (generation, urls) in found.items():
        serving = serving.having(host, generation, urls)
    again = Serving.parse(serving.render("app", "/ready", "a.helpers.org"))
    assert dict(again.hosts) == dict(serving.hosts)
    assert {host: again.generation(host) for host in found} == {host: generation for host, (generation, _) in found.items()}


@pytest.mark.parametrize("text", [None, "", "http: {}", "# web1 generation", "# web1 generation x at http://a:1"])
def test_us5_2_a_file_without_a_record_means_that_nothing_serves(text: str | None) -> None:
    assert Serving.parse(text).generation("web1") == 0


def test_us5_2_no_step_ever_leaves_an_empty_routing() -> None:
    with pytest.raises(ValueError, match="empty the routing"):
        Serving().render("app", "/ready", "a.helpers.org")
    with pytest.raises(ValueError, match="empty list of servers"):
        BOTH.having("web1", 4, [])
    with pytest.raises(ValueError, match="no server would be left"):
        BOTH.without("web1").without("web2")
    with pytest.raises(ValueError, match="no server would be left"):
        BOTH.only(["web9"])


def test_us8_4_a_host_that_leaves_takes_only_its_own_servers_along() -> None:
    assert BOTH.without("web1").urls == ["http://10.0.0.3:18000", "http://10.0.0.3:18001"]
    assert BOTH.only(["web1", "web7"]).urls == ["http://10.0.0.2:18064"]


def test_us5_2_generations_never_share_a_container_name() -> None:
    assert not set(replica_names("app", 7, 3)) & set(replica_names("app", 8, 3))
    assert replica_names("app", 7, 2) == ["app-g7-app-1", "app-g7-app-2"]
