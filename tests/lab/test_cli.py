import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab import inventory
from lab import state as states
from lab.cli import main
from lab.state import State

FAULTS = ["isolate", "reconnect", "reboot", "crash"]


@pytest.mark.parametrize("command", ["", "up", "down", "status", "ssh", "exec", "inventory", "env", *FAULTS])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("command", [["status"], ["ssh", "h1"], ["exec", "h1", "--", "true"], ["inventory"], ["env"]])
def test_a_lab_that_is_not_there_is_one_line(command: list[str], state: State) -> None:
    result = CliRunner().invoke(main, [command[0], "--name", "other", *command[1:]])
    assert result.exit_code == 1
    assert result.stderr == "Error: there is no lab named other: python -m lab up --name other\n"


@pytest.mark.parametrize("command", FAULTS)
def test_nothing_happens_to_a_host_that_is_not_there(command: str, state: State) -> None:
    result = CliRunner().invoke(main, [command, "--name", "demo", "h2"])
    assert (result.exit_code, result.stderr) == (1, "Error: lab demo has no host h2; it has h1\n")


def test_a_bad_name_is_one_line() -> None:
    result = CliRunner().invoke(main, ["down"], env={"LAB_NAME": "../etc"})
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: '../etc' cannot name a lab")
    assert len(result.stderr.splitlines()) == 1


def test_too_many_hosts_are_refused_before_anything_starts(state: State) -> None:
    result = CliRunner().invoke(main, ["up", "--hosts", "0"])
    assert (result.exit_code, result.stderr) == (1, "Error: --hosts takes 1 to 40\n")


def test_a_lab_keeps_its_topology(state: State) -> None:
    result = CliRunner().invoke(main, ["up", "--name", "demo", "--topology", "cluster"])
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: lab demo has the topology single, not cluster; first: python -m lab down --name demo\n",
    )


def test_a_cluster_of_too_few_hosts_is_refused_before_anything_starts(state: State) -> None:
    result = CliRunner().invoke(main, ["up", "--name", "other", "--topology", "cluster", "--hosts", "3"])
    assert (result.exit_code, result.stderr) == (1, "Error: the topology cluster needs at least 4 hosts\n")


def test_a_file_that_cannot_be_read_is_one_line(state: State) -> None:
    file = state.folder / "state.json"
    file.unlink()
    file.mkdir()
    result = CliRunner().invoke(main, ["status", "--name", "demo"])
    assert result.exit_code == 1
    assert result.stderr == f"Error: {file}: Is a directory\n"


def test_half_a_lab_has_no_environment_yet(state: State) -> None:
    result = CliRunner().invoke(main, ["env", "--name", "demo"])
    assert result.exit_code == 1
    assert "is not complete" in result.stderr


def test_environment_and_inventory_of_a_lab(state: State) -> None:
    (state.folder / "id_ed25519.pub").write_text("ssh-ed25519 AAAA lab-demo\n")
    (state.folder / "escrow.key").write_text("# public key: age1demo\n")
    states.write(inventory.path(state), inventory.render(state))
    environment = json.loads(CliRunner().invoke(main, ["env", "--json", "--name", "demo"]).output)
    path = CliRunner().invoke(main, ["inventory", "--name", "demo"]).output.strip()
    assert environment["inventory"] == path
    assert Path(path).is_absolute()
    assert environment["hosts"] == [
        {"name": "h1", "fqdn": "h1.demo.test", "address": "10.70.1.11", "roles": ["edge", "app", "db"]}
    ]
