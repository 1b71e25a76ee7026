"""The two files that Traefik watches: pure text in, text out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from signupflow.names import replica_names
from signupflow.routing import RouteTable, routers

DOMAINS = ["a.helpers.org", "b.helpers.org"]
BOTH = (
    RouteTable()
    .having("web1", 3, ["http://10.0.0.2:18064"])
    .having("web2", 8, ["http://10.0.0.3:18000", "http://10.0.0.3:18001"])
)

hosts = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    st.tuples(
        st.integers(1, 10**6), st.lists(st.from_regex(r"http://[a-z0-9.-]+:[0-9]+", fullmatch=True), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=4,
)


def services(serving: RouteTable) -> dict[str, Any]:
    document = yaml.safe_load(serving.render("app", "/ready", "a.helpers.org"))
    found: dict[str, Any] = document["http"]["services"]
    return found


def test_us4_4_each_domain_has_a_router_so_that_it_gets_its_own_certificate() -> None:
    document = yaml.safe_load(routers("app", DOMAINS, 30))["http"]
    assert [router["rule"] for router in document["routers"].values()] == ["Host(`a.helpers.org`)", "Host(`b.helpers.org`)"]
    assert {router["service"] for router in document["routers"].values()} == {"app"}


def test_us8_3_d2_what_a_server_took_is_never_repeated() -> None:
    """By status Traefik would repeat what was executed, and keep what is sent; tests/edge shows what it does without."""
    document = yaml.safe_load(routers("app", DOMAINS, 30))["http"]
    assert document["middlewares"]["app-retry"]["retry"] == {"attempts": 12, "initialInterval": "100ms"}
    # Shorter than any app server's, so that no request is written into a connection that the server is closing.
    assert document["serversTransports"]["app"]["forwardingTimeouts"]["idleConnTimeout"] == "1s"


def test_us8_1_servers_of_all_hosts_share_the_load_by_their_number_and_are_checked() -> None:
    found = services(BOTH)
    assert found["app-passing"]["weighted"] == {
        "healthCheck": {},
        "services": [{"name": "app-on-web1-g3", "weight": 100}, {"name": "app-on-web2-g8", "weight": 200}],
    }
    balancer = found["app-on-web2-g8"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://10.0.0.3:18000"}, {"url": "http://10.0.0.3:18001"}]
    assert balancer["healthCheck"] == {"path": "/ready", "hostname": "a.helpers.org", "interval": "0.5s", "timeout": "0.5s"}


def test_us8_3_when_no_server_passes_its_check_all_are_asked() -> None:
    found = services(BOTH)
    assert found["app"] == {"failover": {"service": "app-passing", "fallback": "app-every"}}
    every = found["app-every"]["loadBalancer"]
    assert [server["url"] for server in every["servers"]] == BOTH.urls
    assert "healthCheck" not in every


def test_us8_3_a_single_server_is_not_taken_out_because_there_is_nobody_else() -> None:
    found = services(BOTH.without("web2"))
    assert set(found) == {"app", "app-on-web1-g3"}
    assert "healthCheck" not in found["app-on-web1-g3"]["loadBalancer"]


def test_us5_4_a_share_of_one_hosts_traffic_leaves_the_others_alone() -> None:
    shared = BOTH.sharing("web1", 3, 4, ["http://10.0.0.2:18000"], 10)
    assert shared.shares("app") == {"app-on-web1-g3": 90, "app-on-web1-g4": 10, "app-on-web2-g8": 200}
    assert shared.routed("web1") == (3, 4)
    assert shared.generation("web1") == 3
    assert RouteTable.parse(shared.render("app", "/ready", "a.helpers.org")).all == shared.all
    assert shared.having("web1", 4, ["http://10.0.0.2:18000"]).routed("web1") == (4,)


@pytest.mark.parametrize(
    ("old", "urls", "percent"), [(9, ["http://a:1"], 10), (3, [], 10), (3, ["http://a:1"], 0), (3, ["u"], 100)]
)
def test_us5_4_a_share_needs_servers_on_both_sides(old: int, urls: list[str], percent: int) -> None:
    with pytest.raises(ValueError, match="share needs"):
        BOTH.sharing("web1", old, 4, urls, percent)


def listed(serving: RouteTable, **changes: object) -> str:
    """What Traefik's API says when it has read the file; `changes` replace whole services."""
    document = {**services(serving), **changes}
    rows = [{"name": f"{name}@file", "provider": "file", "status": "enabled", **item} for name, item in document.items() if item]
    return json.dumps([*rows, {"name": "api@internal", "provider": "internal", "status": "enabled"}])


def test_us5_2_traefik_confirms_what_it_was_told() -> None:
    shared = BOTH.sharing("web1", 3, 4, ["http://10.0.0.2:18000"], 10)
    for serving in (BOTH, shared, BOTH.without("web2")):
        assert serving.unconfirmed("app", listed(serving)) == ""


def test_us5_2_what_traefik_does_not_yet_serve_is_not_confirmed() -> None:
    shared = BOTH.sharing("web1", 3, 4, ["http://10.0.0.2:18000"], 10)
    assert "routes to" in shared.unconfirmed("app", listed(BOTH))
    assert "routes to" in BOTH.unconfirmed("app", listed(shared))
    other = BOTH.sharing("web1", 3, 4, ["http://10.0.0.2:18000"], 50)
    assert "shares are" in shared.unconfirmed("app", listed(other))
    disabled = listed(BOTH, app={"status": "disabled"})
    assert BOTH.unconfirmed("app", disabled) == "Traefik has disabled app"
    for nonsense in ("", "[1]", "{}x"):
        assert "does not answer" in BOTH.unconfirmed("app", nonsense)
    assert BOTH.unconfirmed("app", "[]").startswith("Traefik routes to nothing")


@given(hosts)
def test_us5_2_what_serves_is_read_back_from_the_file(found: dict[str, tuple[int, list[str]]]) -> None:
    serving = RouteTable()
    for host, (generation, urls) in found.items():
        serving = serving.having(host, generation, urls)
    again = RouteTable.parse(serving.render("app", "/ready", "a.helpers.org"))
    assert again.all == serving.all
    assert {host: again.generation(host) for host in found} == {host: generation for host, (generation, _) in found.items()}


@pytest.mark.parametrize("text", [None, "", "http: {}", "# web1 generation", "# web1 generation x at http://a:1"])
def test_us5_2_a_file_without_a_record_means_that_nothing_serves(text: str | None) -> None:
    assert RouteTable.parse(text).generation("web1") == 0


def test_us5_2_no_step_ever_leaves_an_empty_routing() -> None:
    with pytest.raises(ValueError, match="empty the routing"):
        RouteTable().render("app", "/ready", "a.helpers.org")
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
