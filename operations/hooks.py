"""The operator's own commands around a deployment, on the controller. They learn of it by environment variables."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping

from pyinfra import logger

SECONDS = 600.0


def called(when: str, command: str, variables: Mapping[str, str], seconds: float = SECONDS) -> str:
    """Run a hook in a shell, show what it prints, and return why it failed: an empty string when it did not.

    `variables` are given to it with the prefix SIGNUPFLOW_. At its limit the shell ends, with all that it has started. What
    it leaves running when it ends by itself is not waited for: its output goes to a file, which nobody has to close.
    """
    environment = {**os.environ, **{f"SIGNUPFLOW_{name}": value for name, value in variables.items()}}
    logger.info(f"--> Hook {when}: {command}")
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"the hook {when} took longer than {seconds:g} s and was ended: {command}"
        output.seek(0)
        for line in output.read().decode(errors="replace").splitlines():
            logger.info(f"    {line}")
    return f"the hook {when} exited {code}: {command}" if code else ""
