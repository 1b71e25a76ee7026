"""What happened, kept where it can be read: one JSON file for each kind of work, and metrics that tell of success alone.

`<kind>.json` is the last attempt, `<kind>-good.json` the last that succeeded. Files are replaced by rename.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from backup.configuration import STATE

BACKUP, DUMPS, DRILL, RESTORE = "backup", "dumps", "drill", "restore"
KINDS = (BACKUP, DUMPS, DRILL, RESTORE)
METRICS = "signupflow_backup.prom"
# All restores that came to an end, for the history of deployments.
RESTORES = "restores.jsonl"


@dataclass(frozen=True)
class Record:
    """One attempt. Times are seconds since 1970; `ended` is 0 while it runs and stays 0 when it was killed."""

    kind: str
    started: float
    ended: float = 0.0
    exit_code: int = 0
    message: str = ""
    size: int = 0

    @property
    def good(self) -> bool:
        return bool(self.ended) and self.exit_code == 0

    @property
    def seconds(self) -> float:
        return self.ended - self.started if self.ended else 0.0


def read(kind: str, good: bool = False, state: Path = STATE) -> Record | None:
    """The last attempt of a kind, or the last good one; None when there was none, or when what is written is not whole."""
    try:
        found = json.loads(_path(kind, good, state).read_text())
        return Record(**{field.name: found[field.name] for field in fields(Record)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(record: Record, state: Path = STATE) -> None:
    """Keep an attempt; a good one is kept a second time, and told to whoever collects metrics."""
    text = json.dumps(asdict(record), indent=2) + "\n"
    replace(_path(record.kind, False, state), text)
    if record.good:
        replace(_path(record.kind, True, state), text)
        kept = [found for kind in KINDS if (found := read(kind, True, state))]
        replace(state / METRICS, "".join(map(metrics, kept)))
    if record.kind == RESTORE and record.ended:
        _append(state / RESTORES, json.dumps(asdict(record)))


def looked(kind: str, message: str, state: Path = STATE) -> None:
    """Nothing was to be done, which could be seen: a failure of before is over. It counts as no good attempt of its own."""
    last = read(kind, state=state)
    if last and not last.good:
        stamp = now()
        replace(_path(kind, False, state), json.dumps(asdict(Record(kind, stamp, stamp, 0, message)), indent=2) + "\n")


def _path(kind: str, good: bool, state: Path) -> Path:
    return state / f"{kind}{'-good' if good else ''}.json"


def metrics(record: Record) -> str:
    """A good attempt in Prometheus' text format, for a textfile collector."""
    lines = []
    for name, what, value in (
        ("last_success_timestamp_seconds", "When the last good one ended.", record.ended),
        ("duration_seconds", "How long it took.", record.seconds),
        ("size_bytes", "What it stored or read.", record.size),
    ):
        metric = f"signupflow_{record.kind}_{name}"
        lines += [f"# HELP {metric} {what}", f"# TYPE {metric} gauge", f"{metric} {value:.0f}"]
    return "\n".join(lines) + "\n"


def replace(path: Path, text: str) -> None:
    """Write a file that is either the old one or the whole new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with new.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)


def _append(path: Path, line: str) -> None:
    """On a line of its own, also after one that a power cut left half written."""
    with path.open("ab+") as out:
        out.seek(max(0, out.seek(0, os.SEEK_END) - 1))
        torn = out.read(1) not in (b"", b"\n")
        out.write((b"\n" if torn else b"") + line.encode() + b"\n")


@contextmanager
def alone(name: str, seconds: float, waiting: str, tell: object = print, state: Path = STATE) -> Iterator[None]:
    """Work of which only one may run on this host. The kernel gives the lock back however its holder ends.

    Waits for the holder up to `seconds`; TimeoutError when it is still there.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / f"{name}.lock").open("a") as lock:
        deadline, told = time.monotonic() + seconds, False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{waiting} still runs after {seconds:.0f} s") from None
                if not told and callable(tell):
                    tell(f"{waiting} runs; this one waits for it")
                told = True
                time.sleep(0.5)
        yield


def held(name: str, state: Path = STATE) -> bool:
    """Whether somebody does this work now."""
    path = state / f"{name}.lock"
    if not path.exists():
        return False
    try:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True


def now() -> float:
    return datetime.now(UTC).timestamp()
