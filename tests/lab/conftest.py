from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.state import State
from tests.lab.sink import Sink


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A lab that exists as files only, under tmp_path."""
    for module in ("lab.state", "lab.lifecycle"):
        monkeypatch.setattr(f"{module}.LAB_DIR", tmp_path)
    made = State(name="demo", subnet="10.70.1.0/24", ports={"registry": 40001, "s3": 40002, "sink": 40003})
    made.save()
    return made


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    server = Sink(tmp_path)
    yield server
    server.stop()
