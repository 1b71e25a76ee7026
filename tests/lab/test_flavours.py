"""What a lab's first host may be before anything is deployed to it; the states themselves are tried by the proof."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import flavours, hosts
from lab.errors import LabError
from lab.lifecycle import _check_flavour
from lab.state import State
from tests.proofs.flavours import EXPECTED


def test_every_flavour_has_its_script_and_its_expectation() -> None:
    scripts = {path.stem for path in flavours.FOLDER.glob("*.sh")} - {"common"}
    assert scripts == set(flavours.BY_NAME) == set(EXPECTED)


@pytest.mark.parametrize("flavour", flavours.ALL, ids=lambda flavour: flavour.name)
def test_a_script_is_one_that_bash_can_read(flavour: flavours.Flavour) -> None:
    subprocess.run(["bash", "-n"], input=flavour.script, text=True, check=True)


def test_what_only_ssh_s_configuration_knows_is_in_that_file_alone(state: State) -> None:
    (address,) = [host.address for host in state.host_list()]
    assert flavours.ssh_config(state) == ""
    state.flavour = "ssh-port"
    assert flavours.ssh_config(state) == f"Host {address}\n    Port 2222\n"
    assert hosts.names_of(state, state.host_list()[0])[-1] == f"[{address}]:2222"
    state.flavour, state.hosts = "jump", 2
    jump = state.host_list()[1].address
    assert f"Host {address}\n    ProxyJump root@{jump}\n" in flavours.ssh_config(state)
    flavours.write_ssh_config(state)
    assert Path(state.folder / "home/.ssh/config").read_text() == flavours.ssh_config(state)


def test_a_host_has_one_past(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    state.flavour = "chrony"
    monkeypatch.setattr("lab.containers.describe", lambda name: {"state": "running"})
    _check_flavour(state, None)
    _check_flavour(state, "chrony")
    with pytest.raises(LabError, match=r"lab destroy --name demo h1"):
        _check_flavour(state, "ufw")
    monkeypatch.setattr("lab.containers.describe", lambda name: None)
    _check_flavour(state, "ufw")
    with pytest.raises(LabError, match="there is no flavour beige"):
        _check_flavour(None, "beige")
