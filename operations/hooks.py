"""The operator's own commands around a deployment, on the controller. They learn of it by environment variables."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from pyinfra import logger

SECONDS = 600


def called(when: str, command: str, variables: Mapping[str, str]) -> str:
    """Run a hook in a shell, show what it prints, and return why it failed: an empty string when it did not.

    `variables` are given to it with the prefix SIGNUPFLOW_.
    """
    environment = {**os.environ, **{f"SIGNUPFLOW_{name}": value for name, value in variables.items()}}
    logger.info(f"--> Hook {when}: {command}")
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the hook {when} took longer than {SECONDS} s: {command}"
    for line in done.stdout.splitlines():
        logger.info(f"    {line}")
    return f"the hook {when} exited {done.returncode}: {command}" if done.returncode else ""
