import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.state import State

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A lab that exists as files only, under tmp_path."""
    monkeypatch.setattr("lab.state.LAB_DIR", tmp_path)
    made = State(name="demo", subnet="10.70.1.0/24", ports={"registry": 40001, "s3": 40002, "sink": 40003})
    made.save()
    return made


@pytest.fixture(scope="session")
def lab() -> dict[str, Any]:
    """A running lab, as `lab env --json` describes it."""
    for command in (["up"], ["env", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "lab", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=290
        )
        assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
