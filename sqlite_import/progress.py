"""How far a long run is, in one line that is written over on a terminal, and now and then a line elsewhere."""

from __future__ import annotations

import sys
import time

# Seconds between two lines where nothing can be written over.
QUIET = 10.0


class Progress:
    """Counts within phases and keeps how long each took, in seconds."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}
        self._terminal = sys.stderr.isatty()
        self._phase, self._began, self._shown = "", time.monotonic(), 0.0

    def phase(self, name: str) -> None:
        """Another phase begins; the one before has ended."""
        self.end()
        self._phase, self._began, self._shown = name, time.monotonic(), time.monotonic()
        if self._terminal and name:
            self._write(f"{name} ...")

    def end(self) -> None:
        if not self._phase:
            return
        self.seconds[self._phase] = round(self.seconds.get(self._phase, 0) + time.monotonic() - self._began, 3)
        self._write(f"{self._phase}: {self.seconds[self._phase]:.1f} s", last=True)
        self._phase = ""

    def rows(self, done: int, total: int | None = None) -> None:
        """Rows done in this phase; of how many, when that is known."""
        now = time.monotonic()
        if now - self._shown < (0.2 if self._terminal else QUIET):
            return
        self._shown = now
        rate = done / max(now - self._began, 0.001)
        share = f" of {total:,}" if total is not None else ""
        self._write(f"{self._phase}: {done:,}{share} rows, {rate:,.0f} rows/s")

    def _write(self, text: str, last: bool = False) -> None:
        if self.quiet:
            return
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
