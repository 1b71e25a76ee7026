import socket
import threading
from pathlib import Path

import pytest

from lab import faults
from lab.network import free_port
from lab.state import State


@pytest.fixture
def interfaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /sys/class/net with two cables and the plain file that bonding leaves there."""
    folder = tmp_path / "net"
    for number, alias in enumerate(["", "signupflow-demo-h2 is cut\n"]):
        cable = folder / f"veth{number}"
        cable.mkdir(parents=True)
        (cable / "ifalias").write_text(alias)
    (folder / "bonding_masters").write_text("\n")
    monkeypatch.setattr("lab.faults.INTERFACES", folder)
    return folder


def test_a_cut_host_is_known_by_its_cables_alias(state: State, interfaces: Path) -> None:
    state.hosts = 2
    first, second = state.host_list()
    assert faults.cut_cable(state, second) == "veth1"
    assert not faults.is_cut(state, first)


def test_a_host_of_another_lab_with_the_same_name_is_another_host(state: State, interfaces: Path) -> None:
    state.hosts, state.name = 2, "other"
    assert not faults.is_cut(state, state.host_list()[1])


@pytest.mark.parametrize(("greeting", "expected"), [(b"SSH-2.0-OpenSSH_10\r\n", True), (b"220 mail\r\n", False), (b"", False)])
def test_a_host_takes_ssh_when_sshd_greets(greeting: bytes, expected: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            with server.accept()[0] as connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        assert faults.takes_ssh("127.0.0.1", 30, port) is expected
        thread.join(5)


def test_a_host_that_refuses_connections_does_not_take_ssh() -> None:
    assert not faults.takes_ssh("127.0.0.1", port=free_port())
