"""An operator's hook ends at its limit, with all that it has started."""

from __future__ import annotations

import time
from pathlib import Path

from operations.hooks import called


def gone(path: Path) -> bool:
    pid = int(path.read_text())
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a19_a_limit_ends_the_hook_and_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    problem = called("after", f"sleep 300 & echo $! > {tmp_path}/pid; wait", {}, seconds=0.5)
    assert problem.startswith("the hook after took longer than 0.5 s and was ended: ")
    assert time.monotonic() - started < 60, "it was waited for"
    deadline = time.monotonic() + 10
    while not gone(tmp_path / "pid"):
        assert time.monotonic() < deadline, "its child goes on"


def test_a19_what_a_hook_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    assert called("after", f"sleep 30 & echo $! > {tmp_path}/pid; exit 0", {}, seconds=600) == ""
    assert time.monotonic() - started < 25
    assert called("before", "exit 3", {}) == "the hook before exited 3: exit 3"
