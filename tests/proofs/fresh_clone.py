"""The repository's own commands, in a clone where nothing was installed by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lab.client import ROOT

Evidence = dict[str, Any]
# What somebody waits for `make test`, on two cores with nothing else to do.
MINUTES, RUNS = 20, 3


@contextmanager
def clone() -> Iterator[Path]:
    """A fresh clone of the committed state; the labs it started are taken away with it."""
    with tempfile.TemporaryDirectory(prefix="signupflow-clone-") as directory:
        path = Path(directory) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(path)], check=True)
        try:
            yield path
        finally:
            for state in sorted((path / ".lab").glob("*/state.json")):
                subprocess.run(
                    ["make", "lab-down", f"LAB_NAME={state.parent.name}"], cwd=path, env=_bare(), capture_output=True, check=True
                )


def _bare() -> dict[str, str]:
    """The environment without this checkout's virtual environment or lab."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "LAB_", "PYTHON", "SIGNUPFLOW"))
    }
    kept["PATH"] = ":".join(entry for entry in kept["PATH"].split(":") if ".venv" not in entry)
    return kept


def _make(path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    started = time.monotonic()
    done = subprocess.run(["make", *arguments], cwd=path, env=_bare(), capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    assert done.returncode == 0, (
        f"make {' '.join(arguments)} exited {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done, seconds


def demo_twice() -> Evidence:
    """`make demo` in a fresh clone, and again: healthy both times, and the second changes nothing."""
    with clone() as path:
        first, first_seconds = _make(path, "demo", "LAB_NAME=provedemo")
        second, second_seconds = _make(path, "demo", "LAB_NAME=provedemo")
    evidence: Evidence = {
        "first_seconds": round(first_seconds, 1),
        "second_seconds": round(second_seconds, 1),
        "first_lab": _lab_seconds(first),
        "second_lab": _lab_seconds(second),
        "health": _health(second.stdout),
        "first_totals": _totals(first),
        "second_totals": _totals(second),
    }
    assert evidence["health"]["status"] == "healthy", evidence
    assert evidence["second_totals"]["changed"] == 0, evidence
    # The bounds for the lab on 2 cores.
    assert evidence["first_lab"]["seconds"] < 300, evidence
    assert evidence["second_lab"]["seconds"] < 30, evidence
    return evidence


def _lab_seconds(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What `lab up` printed last: its seconds, and whether it was cold (images were made) or warm."""
    found = re.search(r"is up: ([0-9.]+) s, (cold|warm)", done.stdout + done.stderr)
    assert found, (done.stdout + done.stderr)[-1000:]
    return {"seconds": float(found[1]), "start": found[2]}


def _health(text: str) -> dict[str, Any]:
    start = text.index('{\n  "status"')
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text[start:])[0]
    return found


def _totals(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The last `Grand total` line that pyinfra printed: operations, changed, failed, unchanged."""
    line = re.findall(r"Grand total +(\S+) +(\S+) +(\S+) +(\S+)", done.stdout + done.stderr)[-1]
    return dict(
        zip(("operations", "changed", "failed", "unchanged"), (int(cell.replace("-", "0")) for cell in line), strict=True)
    )


def tests_pass() -> Evidence:
    """`.ci/run` in a fresh clone, after what it needs was installed: several times in a row, the last beside a busy loop."""
    rows: list[Evidence] = []
    with clone() as path:
        _, installing = _make(path, "setup")
        for number in range(RUNS):
            busy = number == RUNS - 1
            with ExitStack() as stack:
                if busy:
                    loop = stack.enter_context(subprocess.Popen(["sh", "-c", "while :; do :; done"]))
                    stack.callback(loop.kill)
                rows.append({"beside_a_busy_loop": busy, **_tests(path)})
            assert rows[-1]["exit"] == 0, rows
            assert busy or rows[-1]["minutes"] < MINUTES, rows
    return {"installed_in_minutes": round(installing / 60, 1), "runs": rows}


def _tests(path: Path) -> Evidence:
    """One run: how it ended, how long it took, and what each of its processes said last."""
    started = time.monotonic()
    done = subprocess.run(
        ["bash", ".ci/run"],
        cwd=path, env={**_bare(), "CI": "true"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    closing = [line.strip("= ") for line in done.stdout.splitlines() if re.match(r"^=+ .*\d (passed|failed).* =+$", line)]
    found: Evidence = {"exit": done.returncode, "minutes": round((time.monotonic() - started) / 60, 1), "said": closing}
    return found if done.returncode == 0 else {**found, "tail": done.stdout[-3000:] + done.stderr[-2000:]}
