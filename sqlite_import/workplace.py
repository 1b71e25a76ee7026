"""The folder in which a run keeps the snapshot and the rows: closed to others, and gone at the end, however the run ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

PREFIX = "signupflow-import-"
LOCK = "in-use"
# The snapshot and the rows as they will be sent, in times the file's size.
ROOM = 3


class CannotWork(Exception):
    """This machine lacks something; the text says what, and what to do."""


@contextmanager
def made(parent: Path | None, source: Path) -> Iterator[Path]:
    """A new folder in `parent` (the system's temporary one). What killed runs left there is removed. Raises CannotWork."""
    place = Path(parent or tempfile.gettempdir())
    _remove_left(place)
    needed, free = ROOM * source.stat().st_size, shutil.disk_usage(place).free
    if free < needed:
        raise CannotWork(f"{place} has {free:,} bytes free, and {needed:,} may be needed; name another folder by --work-dir")
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True) as name,
        (Path(name) / LOCK).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


@contextmanager
def ends_when_told() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does, so that nothing stays behind."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remove_left(place: Path) -> None:
    """Folders of this user whose run is gone: the kernel took its lock away with it."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            with (folder / LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
