import json
import subprocess
from pathlib import Path

import pytest

from lab import containers, engine
from lab.errors import LabError


def test_a_container_is_replaced_when_what_it_should_be_changes() -> None:
    plain = containers.Container("dns", "image", "10.0.0.3", ["--a"], ["run"])
    others = [
        containers.Container("dns", "image", "10.0.0.4", ["--a"], ["run"]),
        containers.Container("dns", "image", "10.0.0.3", ["--b"], ["run"]),
        containers.Container("dns", "image", "10.0.0.3", ["--a"], ["other"]),
        containers.Container("dns", "image", "10.0.0.3", ["--a"], ["run"], content="configuration"),
    ]
    specs = {container.spec("id") for container in [plain, *others]} | {plain.spec("newer")}
    assert len(specs) == 6


def test_the_owner_of_a_lab_is_read_off_its_bind_mounts() -> None:
    binds = ["/a/.lab/demo/resolv.conf:/etc/resolv.conf:ro", "/a/.lab/demo/pki:/pki:ro", "volume:/data", "/sys:/sys:rw"]
    assert containers.owners(binds, "demo") == {Path("/a/.lab/demo")}
    assert containers.owners(binds, "lab") == set()


def test_a_lab_of_another_clone_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = tmp_path / "theirs/.lab/demo", tmp_path / "ours/.lab/demo"
    inspected = json.dumps([{"HostConfig": {"Binds": [f"{theirs}/pki:/pki:ro"]}}, {"HostConfig": {"Binds": None}}])

    def docker(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(args, 0, "id\n" if args[0] == "ps" else inspected, "")

    monkeypatch.setattr(engine, "docker", docker)
    containers.refuse_foreign("demo", ours)
    theirs.mkdir(parents=True)
    (theirs / "state.json").write_text("{}")
    containers.refuse_foreign("demo", theirs)
    with pytest.raises(LabError, match=f"belongs to {tmp_path}/theirs: choose another"):
        containers.refuse_foreign("demo", ours)
