"""The traffic as a proof uses it."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any

from lab.client import ROOT, Lab
from tests.tenants import event, organisation
from tests.traffic.report import Report
from tests.traffic.sender import DOWNLOAD_SECONDS, Settings

# The first is only read; the app lets one address try 20 sign-ins a minute, and an organisation takes two.
ORGANISATIONS = 4
START_SECONDS = 60.0


class Traffic:
    """`with Traffic(lab, rate=150, faults=True) as traffic: ...; traffic.report` - mixed traffic from its own process.

    `rate` short requests a second (keep-alive, new TLS connections and HTTP/2; 30 % write, 30 % read from the database, 40 %
    are /health/live), `streams` event streams that are opened again when they end, and with `faults` (an image that has
    tests/faults) answers that take 5 s, one begun each second, and a 50 MB download at 10 MB/s, one each 5 s. Nothing is
    sent twice. Above 160 a second the app's limit for one address answers 429 while a single replica serves. Sign-in tokens
    last an hour, and so may the traffic: it ends by itself after `seconds`, and leaving the block is an error then.

    `tokens` (of two organisations or more, admins') spares making new ones: a few starts within a minute meet the limit of
    sign-ins otherwise.
    """

    def __init__(
        self,
        lab: Lab,
        rate: float = 150,
        faults: bool = False,
        streams: int = 6,
        seconds: float = 1800,
        tokens: Sequence[str] = (),
    ) -> None:
        self._lab, self._rate, self._faults, self._streams, self._seconds = lab, rate, faults, streams, seconds
        self.tokens = list(tokens)
        self._lines: queue.Queue[str] = queue.Queue()
        self._began = 0.0
        self._report: Report | None = None

    def __enter__(self) -> Traffic:
        self.tokens = self.tokens or organisations(self._lab)
        command = [sys.executable, "-m", "tests.traffic"]
        # A session of its own: an interrupt is for this process, whose end the other one notices.
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._tell(json.dumps(asdict(self._settings())))
            said = self._hear(START_SECONDS)
            if not said["flows"]:
                samples = Report.of(self._hear(2 * DOWNLOAD_SECONDS)).as_dict()["samples"]
                raise RuntimeError(f"no traffic through {self._lab['domains'][0]}: {samples}")
        except BaseException:
            self._end()
            raise
        self._began = said["began"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            with contextlib.suppress(BrokenPipeError):
                self._tell("stop")
            self._report = Report.of(self._hear(2 * DOWNLOAD_SECONDS))
        except RuntimeError:
            # What went wrong inside the block says more.
            if kind is None:
                raise
        finally:
            self._end()
        if self._report and self._report.cut_short and kind is None:
            raise RuntimeError(f"the traffic ended by itself after {self._seconds:.0f} s: the rest was not measured")

    def now(self) -> float:
        """Seconds since the traffic began: the clock of its report."""
        if self._process.poll() is not None:
            raise RuntimeError("no traffic any more: its process has ended")
        return time.monotonic() - self._began

    @property
    def epoch(self) -> float:
        """Unix time at which the traffic began, to place other clocks' moments on its own."""
        return time.time() - (time.monotonic() - self._began)

    @property
    def report(self) -> Report:
        """The whole of it, when it is over."""
        if self._report is None:
            raise RuntimeError("the traffic has not ended, or left no report")
        return self._report

    def report_between(self, begins: float, ends: float) -> Report:
        return self.report.between(begins, ends)

    def _settings(self) -> Settings:
        return Settings(
            address=self._lab.address(),
            domain=self._lab["domains"][0],
            ca_file=self._lab["ca_file"],
            rate=self._rate,
            seconds=self._seconds,
            faults=self._faults,
            streams=self._streams,
            tokens=self.tokens,
        )

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _hear(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError(f"the traffic's process said nothing for {seconds:.0f} s") from None
        if not line:
            raise RuntimeError(f"the traffic's process ended early, with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def _end(self) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        assert self._process.stdout
        self._process.stdout.close()


def organisations(lab: Lab) -> list[str]:
    """Tokens of new organisations' admins; the first has the five events that are read."""
    tokens = [organisation(lab)[1] for _ in range(ORGANISATIONS)]
    for _ in range(5):
        event(lab, tokens[0])
    return tokens
