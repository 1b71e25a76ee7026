"""docs/evidence/NAME.json: what was measured of a line, when, of which commit, where, by which command, and whether it held."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.evidence.promises import Promise

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "evidence"
# Of a result that is no more than words, so much is kept.
LONGEST = 4000


@dataclass(frozen=True)
class Record:
    """`reason` is what did not hold, empty when everything did. `result` is what was measured, also when the goal was missed."""

    line: str
    promise: str
    goal: str
    figure: str
    held: bool
    reason: str
    date: str
    commit: str
    dirty: bool
    machine: dict[str, Any]
    command: str
    seconds: float
    result: Any

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.line}.json"

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def read(line: str) -> Record | None:
    """What was measured of a line last; None when nothing ever was."""
    path = FOLDER / f"{line}.json"
    return Record(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def made(promise: Promise, result: Any, reason: str, seconds: float, command: str) -> Record:
    commit, dirty = measured_commit()
    try:
        shown = promise.figure(result)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        # A measurement that ended early has not all of its parts; of a whole one, nobody can say whether the goal was reached.
        reason = reason or f"the figure cannot be read of what was measured: {error!r}"
        shown = reason.splitlines()[0][:160]
    return Record(
        line=promise.line,
        promise=promise.promise,
        goal=promise.goal,
        figure=shown,
        held=not reason,
        reason=reason,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        dirty=dirty,
        machine=machine(),
        command=command,
        seconds=round(seconds, 1),
        result=result,
    )


def failure(error: BaseException) -> tuple[Any, str]:
    """What was measured (None when the error does not carry it), and what did not hold.

    Measurements end in `assert GOAL, evidence`: the assertion carries what was measured as it is, and its line is what did not
    hold. (Not in test modules: there pytest makes words of it.)
    """
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{_relative(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    measured = error.args[0] if isinstance(error, AssertionError) and error.args else None
    if isinstance(measured, dict | list | tuple):
        return measured, f"did not hold: {_source(trace)} ({place})"
    said = f"{type(error).__name__}: {error}"[:LONGEST]
    return None, f"{said} ({place})"


def _source(trace: Any) -> str:
    lines = Path(trace.tb_frame.f_code.co_filename).read_text(encoding="utf-8").splitlines()
    line: str = lines[trace.tb_lineno - 1].strip()
    return line.removeprefix("assert ").rpartition(", ")[0] or line


def _relative(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def measured_commit() -> tuple[str, bool]:
    """HEAD, and whether the work tree differs from it in anything but evidence and its page."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/evidence", ":!docs/EVIDENCE.md")
    return git("rev-parse", "--short=12", "HEAD"), bool(changed)
