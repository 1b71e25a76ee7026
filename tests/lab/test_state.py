import json
import stat
from pathlib import Path

import pytest

from lab import state as states
from lab.errors import LabError
from lab.state import State


def test_a_saved_state_is_loaded_again(state: State) -> None:
    state.hosts = 3
    state.images = {"postgres:17": {"id": "sha256:1", "digest": "sha256:2"}}
    state.save()
    assert states.load("demo") == state


def test_the_state_holds_keys_and_is_private(state: State) -> None:
    assert stat.S_IMODE((state.folder / "state.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "demo"}'])
def test_a_broken_state_counts_as_none(state: State, text: str) -> None:
    (state.folder / "state.json").write_text(text)
    assert states.load("demo") is None


def test_a_field_of_another_version_is_dropped(state: State) -> None:
    file = state.folder / "state.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "from_the_future": 1}))
    assert states.load("demo") == state


def test_a_missing_lab_is_one_clear_line(state: State) -> None:
    with pytest.raises(LabError, match="no lab named other"):
        states.require("other")


@pytest.mark.parametrize("name", ["", "A", "1lab", "a-b", "../x", "a" * 17, "a/b", "lab\n"])
def test_a_name_that_would_not_do_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        states.check_name(name)


def test_the_first_host_is_everything_and_the_others_are_spare(state: State) -> None:
    state.hosts = 3
    assert [(host.fqdn, host.address, host.roles) for host in state.host_list()] == [
        ("h1.demo.test", "10.70.1.11", ("edge", "app", "db")),
        ("h2.demo.test", "10.70.1.12", ("spare",)),
        ("h3.demo.test", "10.70.1.13", ("spare",)),
    ]


def test_a_cluster_has_a_host_for_each_role_and_two_for_the_app(state: State) -> None:
    state.topology, state.hosts = "cluster", 5
    assert [(host.name, host.roles) for host in state.host_list()] == [
        ("h1", ("edge",)),
        ("h2", ("app",)),
        ("h3", ("app",)),
        ("h4", ("db",)),
        ("h5", ("spare",)),
    ]
    assert state.names()["signupflow.demo.test"] == state.edge.address == "10.70.1.11"


def test_a_lab_of_before_there_were_topologies_is_single(state: State) -> None:
    file = state.folder / "state.json"
    stored = json.loads(file.read_text())
    del stored["topology"]
    file.write_text(json.dumps(stored))
    loaded = states.load("demo")
    assert loaded is not None
    assert loaded.topology == "single"


def test_a_topology_of_another_version_is_one_clear_line(state: State) -> None:
    state.topology = "ring"
    with pytest.raises(LabError, match="no topology ring"):
        state.host_list()


def test_both_sites_lead_to_the_first_host(state: State) -> None:
    names = state.names()
    assert names["signupflow.demo.test"] == names["volunteers.demo.test"] == names["h1.demo.test"] == "10.70.1.11"
    assert names["acme.demo.test"] == "10.70.1.4"


def test_write_replaces_in_one_step_and_sets_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file"
    states.write(file, "one", mode=0o600)
    states.write(file, "two", mode=0o600)
    assert file.read_text() == "two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["file"]
