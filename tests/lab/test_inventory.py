import shlex
from typing import Any

import pytest

from lab import inventory
from lab.state import State

PUBLIC_KEY = "ssh-ed25519 AAAA lab-demo"

RECIPIENT = "age1kwf3v5mtd9vxdsa3qcuuk4w4q2tmf3dnk0mjdkq2rqyd0gz3zpsq9a3c6d"


@pytest.fixture
def made(state: State) -> State:
    state.s3_access_key, state.s3_secret_key = "LABKEY", "s3-marker-secret"
    state.images = {"traefik:v3.7": {"id": "sha256:1", "digest": "sha256:feed"}}
    (state.folder / "id_ed25519.pub").write_text(PUBLIC_KEY + "\n")
    (state.folder / "escrow.key").write_text(f"# public key: {RECIPIENT}\nAGE-SECRET-KEY-not-shown\n")
    return state


def load(text: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(compile(text, "inventory.py", "exec"), scope)
    return {key: value for key, value in scope.items() if not key.startswith("_")}


def test_every_public_name_is_a_group_and_the_single_host_has_every_role(made: State) -> None:
    groups = load(inventory.render(made))
    assert set(groups) == {"lab", "edge", "app", "db"}
    assert groups["edge"] == groups["app"] == groups["db"] == ["h1.demo.test"]


def test_further_hosts_are_spare_and_keep_their_order(made: State) -> None:
    made.hosts = 12
    groups = load(inventory.render(made))
    assert groups["spare"] == [f"h{number}.demo.test" for number in range(2, 13)]
    assert [host for host, _ in groups["lab"][0]] == [f"h{number}.demo.test" for number in range(1, 13)]


def test_hosts_are_reached_by_address_with_their_keys_checked(made: State) -> None:
    [(name, data)], _ = load(inventory.render(made))["lab"]
    assert name == "h1.demo.test"
    assert data == {
        "ssh_hostname": "10.70.1.11",
        "ssh_user": "deploy",
        "ssh_key": str(made.folder / "id_ed25519"),
        "ssh_known_hosts_file": str(made.folder / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
    }


def test_only_hosts_of_a_cluster_have_an_address_for_each_other(made: State) -> None:
    made.topology, made.hosts = "cluster", 5
    groups = load(inventory.render(made))
    assert groups["app"] == ["h2.demo.test", "h3.demo.test"]
    assert [groups[role] for role in ("edge", "db", "spare")] == [["h1.demo.test"], ["h4.demo.test"], ["h5.demo.test"]]
    assert [data["private_address"] for _, data in groups["lab"][0]] == [f"10.70.1.{last}" for last in range(11, 16)]
    assert inventory.environment(made)["topology"] == "cluster"


def test_a_dsn_of_the_sink_is_for_the_sdk(made: State) -> None:
    assert inventory.environment(made)["sentry_dsn"] == "http://4f1c2d9ab07e5638a1b2c3d4e5f60718@sink.demo.test:8080/1"


def test_group_data_names_the_servers_beside_the_hosts(made: State) -> None:
    _, data = load(inventory.render(made))["lab"]
    assert data["environment"] == "lab"
    assert data["domains"] == ["signupflow.demo.test", "volunteers.demo.test"]
    assert data["acme_directory"] == "https://acme.demo.test:14000/dir"
    assert data["registry_mirrors"] == ["http://10.70.1.2:5000"]
    assert data["traefik_image"] == "traefik:v3.7@sha256:feed"
    assert data["deploy_public_keys"] == [PUBLIC_KEY]
    assert data["backup_recipients"] == [RECIPIENT]
    assert data["smtp_host"] == "10.70.1.6"


def test_the_inventory_holds_no_secret(made: State) -> None:
    assert made.s3_secret_key not in inventory.render(made)
    assert made.s3_access_key not in inventory.render(made)
    assert "AGE-SECRET-KEY" not in inventory.render(made)


def test_shell_exports_survive_quoting(made: State) -> None:
    made.s3_secret_key = "a b'c\"$d"
    lines = inventory.shell(inventory.environment(made)).splitlines()
    exported = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    assert all(line.startswith("export LAB_") for line in lines)
    assert exported["LAB_S3_SECRET_KEY"] == made.s3_secret_key
    assert exported["LAB_HOSTS"] == "h1.demo.test=10.70.1.11"
    assert exported["LAB_DOMAINS"] == "signupflow.demo.test volunteers.demo.test"
    assert exported["LAB_CERTIFICATE_LIFETIME"] == ""
