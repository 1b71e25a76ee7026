"""Flavours: hosts with a past. Each is a state that somebody's machine is in before the first deploy, made by real packages
and real settings; `lab up --flavour NAME` makes the lab's first host so."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from lab import engine
from lab.errors import LabError
from lab.state import Host, State, write

FOLDER = Path(__file__).parent
MARKER = "/var/lib/lab-flavour"
SCRIPT_SECONDS = 600
SSH_PORT = 22


@dataclass(frozen=True)
class Flavour:
    """`what` is the state. `options` are for `docker create`; `suite` is Debian's, where it is another one; `hosts` is how many
    the lab needs; the rest is how the first host is reached.
    """

    name: str
    what: str
    options: tuple[str, ...] = ()
    suite: str = ""
    hosts: int = 1
    ssh_port: int = SSH_PORT
    jump: bool = False
    # The login that a person has there; root where it is not said.
    login: str = "root"

    @property
    def script(self) -> str:
        return (FOLDER / "common.sh").read_text() + (FOLDER / f"{self.name}.sh").read_text()


ALL = (
    Flavour("apt-locked", "first-boot work holds the locks of apt and dpkg for a minute"),
    Flavour("docker-ce", "docker.com's packages, with a container of somebody's own"),
    Flavour("docker-ce-idle", "docker.com's packages, and no container"),
    Flavour("debian-12", "Debian 12, whose own Docker is too old, with docker.com's packages", suite="bookworm"),
    Flavour("debian-12-bare", "Debian 12, whose own Docker is too old, and no Docker", suite="bookworm"),
    Flavour("compose-v2", "the distribution's Docker with Ubuntu's package docker-compose-v2"),
    Flavour("containerd-io", "docker.com's containerd.io in use without a Docker Engine"),
    Flavour("chrony", "chrony keeps the clock"),
    Flavour("daemon-json", "an own daemon.json: data-root and address pools"),
    Flavour("umask-027", "umask 027 for every login and for sudo"),
    Flavour("ssh-port", "sshd on port 2222, known only from ~/.ssh/config", ssh_port=2222),
    Flavour("ssh-socket", "sshd behind ssh.socket, as in Ubuntu 24.04"),
    Flavour("jump", "SSH by way of another host, known only from ~/.ssh/config", hosts=2, jump=True),
    Flavour("sshd-no-include", "an sshd_config that includes no drop-ins"),
    Flavour("sshd-dropins", "an earlier drop-in of sshd's that contradicts"),
    Flavour("cloud-init", "cloud-init's own drop-in, which lets passwords in"),
    Flavour("ufw", "ufw is active and lets SSH in alone"),
    Flavour("nginx-on-80", "nginx serves on port 80"),
    Flavour("sudo-password", "root may not log in, and the admin's sudo asks for a password", login="admin"),
    Flavour("small", "1 GB of memory with swap", options=("--memory=1g", "--memory-swap=2g")),
    Flavour("deploy-user", "a login `deploy` of somebody else's, with their key"),
    Flavour("other-environment", "another environment's app"),
    Flavour("resolved-stub", "systemd-resolved's stub in /etc/resolv.conf"),
    Flavour("needrestart", "needrestart, as Ubuntu has it, restarts services after each package"),
)
BY_NAME = {flavour.name: flavour for flavour in ALL}
PLAIN = Flavour("", "nothing but the operating system")


def of(state: State) -> Flavour:
    """What the lab's first host is."""
    return BY_NAME.get(state.flavour, PLAIN)


def check(name: str) -> None:
    if name and name not in BY_NAME:
        raise LabError(f"there is no flavour {name}; there are {', '.join(BY_NAME)}")


def of_host(state: State, host: Host) -> Flavour:
    return of(state) if host == state.host_list()[0] else PLAIN


def apply(state: State, host: Host) -> bool:
    """Make a running host what it is to be, once; whether that was to be done."""
    flavour = of_host(state, host)
    if not flavour.name:
        return False
    name = state.container(host.name)
    if engine.docker("exec", name, "test", "-e", MARKER, check=False).returncode == 0:
        return False
    key = (state.folder / "id_ed25519.pub").read_text().strip()
    given = {"DNS": state.address("dns"), "KEY": key, "MIRROR": f"http://{state.address('registry')}:5000"}
    given |= {"JUMP": state.host_list()[1].address} if flavour.jump else {}
    given |= {"MEMINFO": base64.b64encode(Path("/proc/meminfo").read_bytes()).decode()} if flavour.name == "small" else {}
    words = [f"--env={key}={value}" for key, value in given.items()]
    engine.docker("exec", "--interactive", *words, name, "bash", "-s", stdin=flavour.script, timeout=SCRIPT_SECONDS)
    engine.docker("exec", name, "sh", "-c", f"echo {flavour.name} > {MARKER}")
    return True


def ssh_config(state: State) -> str:
    """What a person who has such a host has in ~/.ssh/config; empty where nothing is out of the ordinary."""
    flavour, host = of(state), state.host_list()[0]
    lines = []
    if flavour.ssh_port != SSH_PORT:
        lines += [f"Host {host.address}", f"    Port {flavour.ssh_port}"]
    if flavour.jump:
        jump = state.host_list()[1]
        lines += [f"Host {host.address}", f"    ProxyJump root@{jump.address}", f"Host {jump.address}"]
        lines += [f"    IdentityFile {state.folder / 'id_ed25519'}", f"    UserKnownHostsFile {state.folder / 'known_hosts'}"]
        lines += ["    StrictHostKeyChecking yes"]
    return "".join(f"{line}\n" for line in lines)


def write_ssh_config(state: State) -> None:
    """A home whose ~/.ssh/config it is, for pyinfra, and an `ssh` that reads it as the user's, for OpenSSH (which takes the home
    from /etc/passwd, whatever HOME says).
    """
    text = ssh_config(state)
    write(state.folder / "home/.ssh/config", text, mode=0o600)
    write(state.folder / "bin/ssh", f'#!/bin/sh\nexec /usr/bin/ssh -F "{state.folder / "home/.ssh/config"}" "$@"\n', mode=0o755)
