"""The Docker Engine of this machine, asked through its command line: which client, what it says, and builds of images.

The command line rather than the SDK: BuildKit and `docker save` to a file exist in the client only.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from signupflow.errors import OperatorError

Progress = Callable[[str], None]


def silent(_line: str) -> None:
    """A Progress that says nothing."""


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    check: bool = True,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return it with its text output; a failure becomes one OperatorError line."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except FileNotFoundError as error:
        raise OperatorError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise OperatorError(f"{' '.join(argv[:3])} did not finish within {timeout:.0f} s") from error
    if check and done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise OperatorError(f"{' '.join(argv[:3])}: {last}")
    return done


@functools.cache
def clients() -> tuple[str, ...]:
    """Every docker client on the path, in its order."""
    found: dict[str, None] = {}
    for folder in [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]:
        candidate = shutil.which("docker", path=folder) if folder else None
        if candidate:
            found.setdefault(os.path.realpath(candidate))
    return tuple(found)


@functools.cache
def docker_client() -> str:
    """Path of the first docker command on the PATH whose engine answers."""
    for path in clients():
        if subprocess.run([path, "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False).returncode == 0:
            return path
    raise OperatorError("no Docker Engine answers on this machine: start it, or install one (see `docker version`)")


def docker(
    *args: str, stdin: str | None = None, check: bool = True, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """`docker ARGS`."""
    return run([docker_client(), *args], stdin=stdin, check=check, timeout=timeout)


@functools.cache
def builder() -> tuple[str, Mapping[str, str]]:
    """A client that can build and the environment it needs: buildx first, then BuildKit of the old clients."""
    for path in clients():
        if run([path, "buildx", "version"], check=False, timeout=15).returncode == 0:
            return path, {"DOCKER_BUILDKIT": "1"}
    for path in clients():
        version = run([path, "version", "--format", "{{.Client.Version}}"], check=False, timeout=15).stdout.strip()
        major = version.split(".")[0]
        if major.isdigit() and int(major) < 23:
            return path, {"DOCKER_BUILDKIT": "1"}
    return docker_client(), {"DOCKER_BUILDKIT": "0"}


def build(
    context: Path,
    tag: str,
    *,
    dockerfile: Path | None = None,
    build_args: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    target: str | None = None,
    network: str = "host",
    progress: Progress = silent,
) -> str:
    """Build an image, stream the builder's lines to `progress`, and return the image's id."""
    path, env = builder()
    argv = [path, "build", "--network", network, "--tag", tag]
    if env["DOCKER_BUILDKIT"] == "1":
        argv += ["--progress", "plain"]
    if dockerfile:
        argv += ["--file", str(dockerfile)]
    if target:
        argv += ["--target", target]
    for key, value in (build_args or {}).items():
        argv += ["--build-arg", f"{key}={value}"]
    for key, value in (labels or {}).items():
        argv += ["--label", f"{key}={value}"]
    argv.append(str(context))
    tail: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **env},
    ) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.rstrip()
            tail.append(line)
            progress(line)
    if process.returncode:
        raise OperatorError(f"building {tag} failed:\n" + "\n".join(tail))
    return image_id(tag) or ""


def image_id(reference: str) -> str | None:
    """The id of a local image, or None."""
    done = docker("image", "inspect", "--format", "{{.Id}}", reference, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def image_label(reference: str, label: str) -> str | None:
    """A label of a local image, or None."""
    done = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', reference, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None
