"""What `signupflow init` is told: hosts, roles, addresses; and each fault by the flag that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from signupflow.cli.init import config as answering
from signupflow.cli.init.config import Host, default_roles, parse_host, with_private_addresses, with_roles
from signupflow.errors import OperatorError
from tests.deploy.test_init_files import TWO, answers

APP = {"app_image": "signupflow/app:local"}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("web1.helpers.org=198.51.100.7", Host("web1.helpers.org", "198.51.100.7")),
        ("web1", Host("web1", "web1")),
        ("db1=db1.internal:db,app", Host("db1", "db1.internal", ("app", "db"))),
        ("web1:edge", Host("web1", "web1", ("edge",))),
    ],
)
def test_fr009_a_host_is_a_name_an_address_and_roles(text: str, host: Host) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text", ["", "=1.2.3.4", "web1=", "web1=a b", "web1=::1", "-web1", "@docker", "web1:", "web1:boss", "web1=1:e;x"]
)
def test_fr009_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match=r"^--host "):
        parse_host(text)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_us8_1_the_roles_that_hosts_get_by_themselves_make_an_environment(tmp_path: Path, count: int) -> None:
    hosts = with_roles([Host(f"h{number}", f"10.0.0.{number}") for number in range(1, count + 1)])
    hosts = with_private_addresses(hosts, {})
    assert [host.roles for host in hosts] == default_roles(count)
    assert len(answering.check(answers(tmp_path, hosts=tuple(hosts)), APP)) == count


def test_us8_1_hosts_have_all_their_roles_given_or_none() -> None:
    with pytest.raises(OperatorError, match="--host b has no roles while others do"):
        with_roles([Host("a", "a", ("edge",)), Host("b", "b")])


def test_us8_1_a_public_address_is_not_taken_for_a_private_one() -> None:
    hosts = [Host("a", "198.51.100.7"), Host("b", "10.1.2.3"), Host("c", "c.helpers.org")]
    assert [host.private_address for host in with_private_addresses(hosts, {"c": "10.0.0.3"})] == ["", "10.1.2.3", "10.0.0.3"]
    assert with_private_addresses(hosts[1:2], {}) == hosts[1:2], "one host alone needs none"
    with pytest.raises(OperatorError, match="--private-address names z"):
        with_private_addresses(hosts, {"z": "10.0.0.9"})


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "domain": ({"domains": ("UPPER.org",)}, "--domain 'UPPER.org' is not"),
    "placeholder": ({"domains": ("a.example.org",)}, "--domain still holds the placeholder"),
    "mail": ({"acme_email": "nobody"}, "--acme-email must be a mail address"),
    "key": ({"public_keys": ("ssh-ed25519",)}, "--public-key 'ssh-ed25519'"),
    "image": ({"traefik_image": "traefik:v3.7"}, "--traefik-image must be pinned"),
    "ca": ({"acme_directory": "http://ca"}, "--acme-directory must be an https URL"),
    "mirror": ({"registry_mirrors": ("mirror",)}, "--registry-mirror 'mirror'"),
    "setting": ({"settings": {"app_replica": 2}}, "--set app_replica is not a setting; did you mean app_replicas?"),
    "private": ({"hosts": (TWO[0], Host("b", "b", ("app", "db"), "x"))}, "--private-address 'x' is not an IPv4 address"),
    "flag": ({"settings": {"domains": ["a.helpers.org"]}}, "--set domains: this has a flag of its own, --domain"),
    "ports": (
        {"settings": {"public_tcp_ports": [22, 80, 443]}, "ssh_port": 2222},
        "--set public_tcp_ports lacks --ssh-port 2222",
    ),
    "connections": ({"settings": {"app_replicas": 40}}, "postgres_max_connections is 100"),
    "no edge": ({"hosts": (Host("a", "a", ("app", "db")),)}, "no host in group edge"),
    "two edges": ({"hosts": (TWO[0], Host("b", "b", ("edge", "db"), "10.0.0.9"))}, "are all edge hosts"),
    "same": ({"hosts": (TWO[0], TWO[0])}, "--host web1.rescue-helpers.org is named twice"),
    "group": ({"environment": "app"}, "ENVIRONMENT app means something else"),
    "keyword": ({"environment": "class"}, "ENVIRONMENT class means something else"),
    "slug": ({"environment": "My Env"}, "ENVIRONMENT 'My Env' must start"),
}


@pytest.mark.parametrize(("changed", "said"), FAULTS.values(), ids=FAULTS)
def test_fr029_a_fault_is_named_by_its_flag(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        answering.check(answers(tmp_path, **changed), APP)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fr029_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"^2 faults: --domain .*; --acme-email ") as caught:
        answering.check(answers(tmp_path, hosts=TWO, domains=("UPPER.org",), acme_email="nobody"), APP)
    assert str(caught.value).count("--domain") == 1, "not once for each host"


@pytest.mark.parametrize("item", ["web1", "=x", "web1="])
def test_fr009_a_pair_has_both_halves(item: str) -> None:
    with pytest.raises(OperatorError, match=r"--set .* is not NAME=VALUE"):
        answering.pairs("--set", [item])
