"""Containers of one lab: started when absent, started again when stopped, replaced when what they should be changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import engine, images
from lab.errors import LabError
from lab.state import LABEL, State

SPEC_LABEL = "signupflow.lab.spec"


@dataclass(frozen=True)
class Container:
    """One container as `docker create` takes it. `content` is whatever else must lead to a new one when it changes."""

    what: str
    image: str
    address: str
    options: Sequence[str] = ()
    command: Sequence[str] = ()
    content: str = ""

    def spec(self, image_id: str) -> str:
        return images.digest(repr((self.image, image_id, self.address, *self.options, *self.command, self.content)))


def network_name(state: State) -> str:
    return f"signupflow-{state.name}"


def describe(name: str) -> dict[str, str] | None:
    """State ("running", "exited", ...) and spec label of a container, or None."""
    done = engine.docker("container", "inspect", name, check=False)
    if done.returncode:
        return None
    found = json.loads(done.stdout)[0]
    labels = found["Config"]["Labels"] or {}
    return {"state": found["State"]["Status"], "spec": labels.get(SPEC_LABEL, ""), "image": found["Image"]}


def create(state: State, container: Container) -> str:
    """`docker create` with the lab's network, address and labels; returns the name."""
    name = state.container(container.what)
    spec = container.spec(engine.image_id(container.image) or "")
    engine.docker(
        "create",
        "--pull=never",
        f"--name={name}",
        f"--label={state.label}",
        f"--label={SPEC_LABEL}={spec}",
        f"--network={network_name(state)}",
        f"--ip={container.address}",
        *container.options,
        container.image,
        *container.command,
    )
    return name


def ensure(state: State, container: Container) -> bool:
    """Leave with the container running as described; whether it was created now."""
    name = state.container(container.what)
    found = describe(name)
    if found and found["spec"] == container.spec(engine.image_id(container.image) or ""):
        if found["state"] == "running":
            return False
        if found["state"] == "exited":
            engine.docker("start", name)
            return False
    if found:
        engine.docker("rm", "--force", name)
    create(state, container)
    engine.docker("start", name)
    return True


def labelled(name: str) -> dict[str, list[str]]:
    """Ids of every container, volume and network of a lab."""
    chosen = f"label={LABEL}={name}"
    return {
        "container": engine.docker("ps", "--all", "--quiet", "--filter", chosen).stdout.split(),
        "volume": engine.docker("volume", "ls", "--quiet", "--filter", chosen).stdout.split(),
        "network": engine.docker("network", "ls", "--quiet", "--filter", chosen).stdout.split(),
    }


def owners(binds: Iterable[str], name: str) -> set[Path]:
    """Folders of labs called `name` that bind mounts (`SOURCE:TARGET[:ro]`) come from."""
    inside = f"/.lab/{name}/"
    sources = (bind.split(":", 1)[0] for bind in binds)
    return {Path(source.split(inside, 1)[0] + inside) for source in sources if inside in source}


def refuse_foreign(name: str, ours: Path) -> None:
    """Two clones of this repository share the engine: a lab of the other one's is not ours to take over or remove.

    Containers whose clone is gone, or has forgotten them, are leftovers and anybody's.
    """
    ids = engine.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={name}").stdout.split()
    if not ids:
        return
    binds: list[str] = []
    for container in json.loads(engine.docker("inspect", "--type=container", *ids).stdout):
        binds += container["HostConfig"]["Binds"] or []
    for folder in owners(binds, name) - {ours}:
        if (folder / "state.json").is_file():
            raise LabError(f"lab {name} belongs to {folder.parent.parent}: choose another --name, or run `lab down` there")


def remove_volumes_of(state: State, what: str) -> None:
    """Remove a container of the lab with everything that it kept."""
    name = state.container(what)
    engine.docker("rm", "--force", "--volumes", name, check=False)
    found = engine.docker("volume", "ls", "--quiet", f"--filter=label={state.label}", f"--filter=name={name}-").stdout.split()
    if found:
        engine.docker("volume", "rm", *found)


def ensure_volume(state: State, what: str) -> str:
    """A named, labelled volume; creating one that exists changes nothing."""
    volume = state.container(what)
    engine.docker("volume", "create", f"--label={state.label}", volume)
    return volume
