"""Which docker command line this machine should use."""

from __future__ import annotations

import functools
import shutil
import subprocess

from signupflow.errors import OperatorError


@functools.cache
def docker_client() -> str:
    """Path of the first docker command on the PATH whose engine answers."""
    candidates = [path for path in (shutil.which("docker"), "/usr/bin/docker") if path]
    for path in candidates:
        try:
            done = subprocess.run([path, "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return path
    raise OperatorError("no Docker Engine answers on this machine: start it, or install one (see `docker version`)")
