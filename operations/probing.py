"""The probe of a run: a process that asks the public entry steadily, and whose failures take a release back while it runs."""

from __future__ import annotations

import json
import subprocess
import sys

import gevent
from pyinfra import logger

from signupflow.probe import Counted, Entry
from signupflow.release.watch import Count

END_SECONDS = 15.0


class SteadyProbe:
    """Starts the probe; `count` is what it has seen so far (a second old at most), `finish` what it saw in all.

    pyinfra's program patches the standard library, so that reading the process's output lets other greenlets go on.
    """

    def __init__(self, entry: Entry, path: str, rate: float) -> None:
        command = [sys.executable, "-m", "signupflow.probe", "--address", entry.address, "--domain", entry.domain]
        command += ["--path", path, "--rate", str(rate), *(["--ca-file", entry.ca_file] if entry.ca_file else [])]
        # Not of this terminal: Ctrl-C is the run's, which goes on until its hosts are back. The probe ends with its input.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._last = Counted()
        self._whole = False
        self._reading = gevent.spawn(self._read)

    @property
    def count(self) -> Count:
        return Count(self._last.sent, self._last.failed)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            said = json.loads(line)
            whole = said.pop("whole")
            if not self._whole:
                self._last, self._whole = Counted(**said), whole

    def finish(self) -> Counted | None:
        """End the probe, say what it counted, and return it; None when it counted nothing.

        Requests that hang are not waited for: what it counted last is told then.
        """
        assert self._process.stdin
        self._process.stdin.close()
        self._reading.join(END_SECONDS)
        self._process.kill()  # it has ended, or it never would
        self._process.wait()
        self._reading.join()  # its pipe has ended with the process
        assert self._process.stdout
        self._process.stdout.close()
        if not self._last.sent:
            logger.warning("the live traffic check ended without a count")
            return None
        if not self._whole:
            logger.warning("the last requests of the live traffic check were not waited for")
        logger.info(f"--> Live traffic check: {self._last.text}, p99 {self._last.p99_ms:.0f} ms")
        for failure in self._last.failures:
            logger.warning(f"    {failure}")
        return self._last
