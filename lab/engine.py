"""The Docker Engine: found, or installed and started. It is asked by signupflow.engine_client."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.waiting import wait_for
from signupflow.engine_client import Progress, build, builder, clients, docker, docker_client, image_id, image_label, run, silent
from signupflow.errors import OperatorError

__all__ = [
    "Progress",
    "answers",
    "apt_install",
    "build",
    "builder",
    "cgroup_version",
    "clients",
    "docker",
    "docker_client",
    "ensure",
    "image_id",
    "image_label",
    "require",
    "run",
    "silent",
    "start_daemon",
    "supported",
    "wait_for",
]
DOCKERD_LOG = Path("/var/log/signupflow-lab-dockerd.log")
START_TIMEOUT = 180.0


def answers() -> bool:
    """Whether a Docker Engine answers at DOCKER_HOST, the current context or /var/run/docker.sock."""
    if not clients():
        return False
    try:
        asked = run([clients()[0], "version", "--format", "{{.Server.Version}}"], check=False, timeout=15)
    except OperatorError:
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
    wait_for(answers, START_TIMEOUT, f"the Docker Engine did not answer; its log: {DOCKERD_LOG}")


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


def cgroup_version() -> int:
    return int(docker("info", "--format", "{{.CgroupVersion}}").stdout.strip() or "1")
