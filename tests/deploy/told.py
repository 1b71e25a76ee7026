"""What a deploy file is told: the real pyinfra on this machine alone, with an inventory of one host, and its settings as JSON."""

from __future__ import annotations

import json
import pprint
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.client import ROOT
from tests.proofs.configuration import DEPLOY_EXAMPLE

PYINFRA = Path(sys.executable).with_name("pyinfra")
# Named like one that needs no secrets.
DEPLOY = """import json

from pyinfra import host

from deploys.environment import environment

print("SETTINGS " + json.dumps([host.name, environment().model_dump(mode="json")]))
"""


def inventory(
    folder: Path, data: Mapping[str, Any] | None = None, group_data: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """An inventory whose one host has every role; `data` is its group's, `group_data` are files beside it by their name."""
    path = folder / "inventory.py"
    hosts = pprint.pformat((["@local"], {**DEPLOY_EXAMPLE, **(data or {})}))
    path.write_text(f"sample = {hosts}\nedge = app = db = ['@local']\n")
    for name, values in (group_data or {}).items():
        (folder / "group_data").mkdir(exist_ok=True)
        (folder / "group_data" / f"{name}.py").write_text("\n".join(f"{key} = {value!r}" for key, value in values.items()) + "\n")
    return path


def deploy(path: Path, name: str = "status.py") -> Path:
    """The deploy beside an inventory."""
    found = path.with_name(name)
    found.write_text(DEPLOY)
    return found


def pyinfra(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(PYINFRA), str(path), str(deploy(path)), "-y", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def settings(path: Path, *words: str) -> dict[str, Any]:
    """The settings as the deploy file has them."""
    done = pyinfra(path, *words)
    lines = [line for line in done.stdout.splitlines() if line.startswith("SETTINGS ")]
    assert lines, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(lines[0].removeprefix("SETTINGS "))[1]
    return found
