"""Images as files: saved by this machine's Docker Engine, without the layers that a host has already.

A release differs from the one before mostly in its last layers. Docker Engine does not read a layer from an archive when it
has that layer on top of the same ones below, so these need not be in it. An engine that wants them all says so when it loads.
"""

from __future__ import annotations

import itertools
import json
import os
import posixpath
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from signupflow.engine_client import docker_client
from signupflow.errors import OperatorError

DIRECTORY = Path(".build/images")
SAVING = threading.Lock()
# The wire is faster than a core at a higher level would be.
LEVEL = 1


def saved(image_id: str, held: int = 0, directory: Path = DIRECTORY) -> Path:
    """Save an image, by its id on this machine, as a compressed tar, once; return its path.

    `held`: how many of its lowest layers are left out.
    """
    target = directory / f"{image_id.removeprefix('sha256:')[:12]}{f'-above-{held}' if held else ''}.tar.gz"
    with SAVING:  # several hosts ask at the same moment
        if not target.exists():
            directory.mkdir(parents=True, exist_ok=True)
            partial = directory / f"{target.name}.{os.getpid()}"
            try:
                _save(image_id, held, partial)
                partial.rename(target)
            finally:
                partial.unlink(missing_ok=True)
    return target


def _save(image_id: str, held: int, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".saving-") as whole:
        done = subprocess.run([docker_client(), "save", image_id], stdout=whole, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise OperatorError(f"could not save image {image_id} from this machine's Docker Engine: {said}")
        without_layers(Path(whole.name), target, held)


def without_layers(source: Path, target: Path, held: int) -> None:
    """Copy a saved image into a compressed tar, without the files of its `held` lowest layers."""
    with tarfile.open(source) as whole:
        members = whole.getmembers()
        named = _manifest(whole)["Layers"]
        # The same layer twice is one file and a link to it, or one name twice.
        needed = set(named[held:])
        for member in members:
            if member.issym() and member.name in needed:
                needed.add(posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname)))
        dropped = set(named[:held]) - needed
        with tarfile.open(target, "w:gz", compresslevel=LEVEL) as out:
            for member in members:
                if member.name not in dropped:
                    out.addfile(member, whole.extractfile(member) if member.isreg() else None)


def held(layers: Sequence[str], on_host: Iterable[Sequence[str]]) -> int:
    """How many of an image's layers, counted from the lowest, some image on the host has as its own lowest ones."""
    return max((_alike(layers, other) for other in on_host), default=0)


def _alike(layers: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(layers, other, strict=False)))


def config_digest(packed: Path) -> str:
    """Id (`sha256:...`) that an engine with a classic image store gives to the image in a saved tar."""
    with tarfile.open(packed) as opened:
        config: str = _manifest(opened)["Config"]
    return "sha256:" + config.removesuffix(".json").rsplit("/", 1)[-1]


def _manifest(opened: tarfile.TarFile) -> dict[str, Any]:
    try:
        manifest = opened.extractfile("manifest.json")
    except KeyError:
        manifest = None
    if manifest is None:
        raise OperatorError(f"{opened.name!s} holds no manifest.json; remove it and run again")
    found: dict[str, Any] = json.load(manifest)[0]
    return found
