"""The Docker Engine: found or started, and asked through its command line.

The command line rather than the SDK: `--security-opt systempaths=unconfined` and BuildKit exist in the client only.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.errors import LabError
from lab.waiting import wait_for

DOCKERD_LOG = Path("/var/log/signupflow-lab-dockerd.log")
START_TIMEOUT = 60.0

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
    """Run a command and return it with its text output; a failure becomes one LabError line."""
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
        raise LabError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv[:3])} did not finish within {timeout:.0f} s") from error
    if check and done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise LabError(f"{' '.join(argv[:3])}: {last}")
    return done


def docker(
    *args: str, stdin: str | None = None, check: bool = True, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """`docker ARGS`."""
    return run([client(), *args], stdin=stdin, check=check, timeout=timeout)


@functools.cache
def clients() -> tuple[str, ...]:
    """Every docker client on the path, in its order."""
    found: dict[str, None] = {}
    for folder in [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]:
        candidate = shutil.which("docker", path=folder) if folder else None
        if candidate:
            found.setdefault(os.path.realpath(candidate))
    return tuple(found)


def client() -> str:
    found = clients()
    if not found:
        raise LabError("no docker client is installed: install Docker, or run this as root on Debian or Ubuntu")
    return found[0]


def answers() -> bool:
    """Whether a Docker Engine answers at DOCKER_HOST, the current context or /var/run/docker.sock."""
    if not clients():
        return False
    try:
        asked = docker("version", "--format", "{{.Server.Version}}", check=False, timeout=15)
    except LabError:
        return False
    if "permission denied" in asked.stderr:
        raise LabError("this user may not talk to the Docker Engine: add it to the group docker, or use root")
    return asked.returncode == 0


def require() -> None:
    """For commands that start nothing: one clear line when no engine answers."""
    if not answers():
        raise LabError("no Docker Engine answers: python -m lab up")


def apt_install(*packages: str, why: str) -> None:
    """Install Debian packages on this machine; only root may."""
    if os.geteuid() != 0:
        raise LabError(f"{why}: install {' '.join(packages)} (sudo apt-get install {' '.join(packages)})")
    if not shutil.which("apt-get"):
        raise LabError(f"{why}: install {' '.join(packages)}; this machine has no apt-get to do it with")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if run(install, check=False, env=env).returncode:
        run(["apt-get", "update", "-q"], env=env)
        run(install, env=env)


def ensure(progress: Progress = silent) -> None:
    """Leave with an engine that answers: the one that runs, or one installed and started here (root only)."""
    if answers():
        supported()
        return
    where = os.environ.get("DOCKER_HOST", "/var/run/docker.sock")
    if os.environ.get("DOCKER_HOST"):
        raise LabError(f"no Docker Engine answers at {where}: start it, or unset DOCKER_HOST")
    if os.geteuid() != 0:
        raise LabError(f"no Docker Engine answers at {where}: start one, or run this as root to have it started")
    if not shutil.which("dockerd"):
        progress("installing docker.io")
        apt_install("docker.io", "iptables", why="there is no Docker Engine")
        clients.cache_clear()
        if not clients():  # Debian 13 has the client in a package of its own
            apt_install("docker-cli", why="there is no docker client")
            clients.cache_clear()
    if not answers():
        start_daemon(progress)
    wait_for(answers, START_TIMEOUT, f"the Docker Engine did not answer within 60 s; its log: {DOCKERD_LOG}")


def supported() -> None:
    """Refuse engines whose containers this machine cannot reach, before anything waits for them."""
    said = docker("info", "--format", "{{.OperatingSystem}} {{.SecurityOptions}}").stdout
    for kind in ("Docker Desktop", "rootless"):
        if kind in said:
            raise LabError(f"the lab needs an engine of this machine's own, run by root; this one is {kind}")


def start_daemon(progress: Progress) -> None:
    if Path("/run/systemd/system").is_dir():
        progress("starting docker.service")
        run(["systemctl", "start", "docker.service"])
        return
    progress("starting dockerd")
    dockerd = shutil.which("dockerd") or "/usr/sbin/dockerd"
    with DOCKERD_LOG.open("ab") as log:
        subprocess.Popen(
            [dockerd],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


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
    return client(), {"DOCKER_BUILDKIT": "0"}


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
        raise LabError(f"building {tag} failed:\n" + "\n".join(tail))
    return image_id(tag) or ""


def image_id(reference: str) -> str | None:
    """The id of a local image, or None."""
    done = docker("image", "inspect", "--format", "{{.Id}}", reference, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def image_label(reference: str, label: str) -> str | None:
    """A label of a local image, or None."""
    done = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', reference, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def cgroup_version() -> int:
    return int(docker("info", "--format", "{{.CgroupVersion}}").stdout.strip() or "1")
