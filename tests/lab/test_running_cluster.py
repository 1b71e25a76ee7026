"""A real cluster of bare hosts, and what `isolate`, `reconnect`, `reboot` and `crash` do to them."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import faults, hosts
from lab.errors import LabError
from lab.state import Host, State, require

ROOT = Path(__file__).resolve().parents[2]
# Of this clone alone, and not the lab that the other tests deploy to.
NAME = f"cluster{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"
GREETED, TIMED_OUT = 0, 124
pytestmark = [pytest.mark.lab, pytest.mark.long]


def command(*words: str) -> str:
    name, *rest = words
    argv = [sys.executable, "-m", "lab", name, "--name", NAME, *rest]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cluster() -> Iterator[State]:
    command("down")
    try:
        command("up", "--topology", "cluster")
        yield require(NAME)
    finally:
        command("down")


@pytest.fixture
def host(cluster: State) -> Iterator[Host]:
    """The second app host, brought back afterwards whatever a test did to it."""
    chosen = hosts.find(cluster, "h3")
    yield chosen
    faults.reconnect(cluster, chosen)


def status() -> dict[str, dict[str, Any]]:
    return {row["name"].split(".")[0]: row for row in json.loads(command("status", "--json"))["hosts"]}


def connects(source: str, target: str) -> int:
    """How it ends when a host asks another's sshd: GREETED, TIMED_OUT, or 1 when it is refused or told of no route."""
    script = f"timeout 6 bash -c 'read -r line </dev/tcp/{target}/22'; echo $?"
    return int(command("exec", source, "--", "sh", "-c", script))


def booted_at(name: str) -> str:
    return command("exec", name, "--", "stat", "-c", "%Y", "/proc/1")


def test_a_cluster_has_its_roles_and_addresses(cluster: State) -> None:
    assert {name: row["roles"] for name, row in status().items()} == {
        "h1": ["edge"],
        "h2": ["app"],
        "h3": ["app"],
        "h4": ["db"],
    }
    environment = json.loads(command("env", "--json"))
    assert environment["topology"] == "cluster"
    resolved = command("exec", "h3", "--", "getent", "hosts", *environment["domains"])
    assert {line.split()[0] for line in resolved.splitlines()} == {cluster.edge.address}


def test_a_cut_host_is_silent_both_ways_and_comes_back(cluster: State, host: Host) -> None:
    database = hosts.find(cluster, "h4").address
    assert connects("h2", host.address) == connects("h3", database) == GREETED
    command("isolate", host.name)
    command("isolate", host.name)
    assert status()["h3"]["cut"] is True
    assert not faults.takes_ssh(host.address)
    # Timeouts, not errors: nothing tells that the packets were dropped.
    assert connects("h2", host.address) == connects("h3", database) == TIMED_OUT
    command("reconnect", host.name)
    assert faults.takes_ssh(host.address)
    assert status()["h3"]["cut"] is False
    assert "was not cut" in command("reconnect", host.name)


def test_up_and_a_reboot_both_end_a_cut(cluster: State, host: Host) -> None:
    faults.isolate(cluster, host)
    before = booted_at("h3")
    command("up")
    assert faults.takes_ssh(host.address)
    assert booted_at("h3") == before
    faults.isolate(cluster, host)
    command("reboot", host.name)
    assert not faults.is_cut(cluster, host)
    assert faults.takes_ssh(host.address)
    assert booted_at("h3") > before


def test_a_crashed_host_comes_back_at_its_address_or_stays_off(cluster: State, host: Host) -> None:
    faults.crash(cluster, host)
    assert faults.takes_ssh(host.address)
    faults.crash(cluster, host, stay_off=True)
    faults.crash(cluster, host, stay_off=True)
    assert status()["h3"]["state"] == "exited"
    with pytest.raises(LabError, match="does not run"):
        faults.isolate(cluster, host)
    command("reconnect", host.name)
    assert faults.takes_ssh(host.address)
