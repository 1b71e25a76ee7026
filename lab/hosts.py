"""A host: a container whose PID 1 is systemd, reached by SSH as a rented server is."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

from lab import containers, engine, flavours, images
from lab.errors import LabError
from lab.paths import LAB_DIR
from lab.state import Host, State, write
from lab.waiting import wait_for

# A host with everything on it boots in seconds; five at once on two cores that other work uses too take longer.
READY_TIMEOUT = 180.0

# linux/capability.h, by bit.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)


def missing_capabilities(status: str) -> list[str]:
    """Capabilities absent from CapBnd in a /proc/PID/status: asking for one makes runc fail."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            bound = int(line.split()[1], 16)
            return [name for bit, name in enumerate(CAPABILITIES) if not bound >> bit & 1]
    return []


def privilege_flags(privileged: bool, missing: list[str]) -> list[str]:
    """Everything that systemd and an inner Docker need, in one flag or spelt out where the engine refuses that one."""
    if privileged:
        return ["--privileged"]
    return [
        "--cap-add=ALL",
        *(f"--cap-drop={name}" for name in missing),
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
        "--device-cgroup-rule=a *:* rwm",
    ]


def cgroup_flags(version: int) -> list[str]:
    if version == 1:
        return ["--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    return ["--cgroupns=private"]


def init_arguments(version: int) -> list[str]:
    """Recent systemd refuses cgroup v1 unless it is told twice."""
    if version == 1:
        return ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0"]
    return []


def privileged_works() -> bool:
    """Whether the engine can start a privileged container; asked once per engine."""
    identity = engine.docker("info", "--format", "{{.ID}} {{.ServerVersion}}").stdout.strip()
    file = LAB_DIR / "privileged.json"
    try:
        known = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        known = {}
    if known.get("engine") != identity:
        probe = ("run", "--rm", "--network=none", "--privileged", "--entrypoint=/bin/true", images.DEBIAN)
        works = engine.docker(*probe, check=False).returncode == 0
        known = {"engine": identity, "privileged": works}
        write(file, json.dumps(known) + "\n")
    return bool(known["privileged"])


def resolv_conf(state: State) -> str:
    """Docker's own 127.0.0.11 does not serve the containers inside a host."""
    return f"nameserver {state.address('dns')}\nsearch {state.zone}\noptions timeout:2 attempts:2\n"


def container(state: State, host: Host) -> containers.Container:
    version = engine.cgroup_version()
    missing = missing_capabilities(Path("/proc/self/status").read_text())
    return containers.Container(
        what=host.name,
        image=images.host_of(flavours.of_host(state, host).suite),
        address=host.address,
        options=[
            *flavours.of_host(state, host).options,
            f"--hostname={host.name}",
            *privilege_flags(privileged_works(), missing),
            *cgroup_flags(version),
            "--tmpfs=/run:exec,mode=755",
            "--tmpfs=/run/lock",
            "--tmpfs=/tmp:exec,mode=1777",
            f"--volume={containers.ensure_volume(state, f'{host.name}-docker')}:/var/lib/docker",
            f"--volume={containers.ensure_volume(state, f'{host.name}-containerd')}:/var/lib/containerd",
            f"--volume={state.folder / 'resolv.conf'}:/etc/resolv.conf:ro",
        ],
        command=init_arguments(version),
    )


def authorized_keys(public_key: str) -> bytes:
    """A tar archive that `docker cp` lays over / : root's key and nothing else."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        folder = tarfile.TarInfo("root/.ssh")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(folder)
        keys = tarfile.TarInfo("root/.ssh/authorized_keys")
        keys.mode, keys.size = 0o600, len(public_key)
        tar.addfile(keys, io.BytesIO(public_key.encode()))
    return archive.getvalue()


def ensure(state: State, host: Host) -> str:
    """Leave with the host running: "kept", "started again" or "created". A host that runs is never replaced."""
    name = state.container(host.name)
    if start_if_stopped(state, host):
        return "started again"
    found = containers.describe(name)
    if found and found["state"] == "running":
        return "kept"
    if found:
        # Created but never started: a killed `up` left it, perhaps without root's key.
        engine.docker("rm", "--force", "--volumes", name)
    containers.create(state, container(state, host))
    public_key = (state.folder / "id_ed25519.pub").read_text()
    copied = subprocess.run(
        [engine.docker_client(), "cp", "-", f"{name}:/"], input=authorized_keys(public_key), capture_output=True, check=False
    )
    if copied.returncode:
        raise LabError(f"giving {host.name} root's key failed: {copied.stderr.decode().strip()}")
    engine.docker("start", name)
    return "created"


def start_if_stopped(state: State, host: Host) -> bool:
    """Switch on a host that is off; whether it was."""
    name = state.container(host.name)
    found = containers.describe(name)
    if not found or found["state"] != "exited":
        return False
    engine.docker("start", name)
    return True


def wait_until_ready(state: State, host: Host) -> None:
    """Until systemd has finished booting and sshd listens."""
    name = state.container(host.name)

    def booted() -> bool:
        done = engine.docker("exec", name, "systemctl", "is-system-running", check=False, timeout=20)
        return done.stdout.strip() in ("running", "degraded")

    def listening() -> bool:
        units = engine.docker("exec", name, "systemctl", "is-active", "ssh.service", "ssh.socket", check=False).stdout.split()
        return "active" in units

    said = f"{host.name} did not finish booting within {READY_TIMEOUT:.0f} s: docker logs {name}"
    wait_for(booted, READY_TIMEOUT, said, every=0.3)
    wait_for(listening, READY_TIMEOUT, f"sshd on {host.name} did not start: docker logs {name}", every=0.2)


def host_keys(state: State, host: Host) -> list[str]:
    """The host's public SSH keys, read through Docker and so known to be its own."""
    read = "cat /etc/ssh/ssh_host_*_key.pub"
    keys = engine.docker("exec", state.container(host.name), "sh", "-c", read).stdout.splitlines()
    return [" ".join(line.split()[:2]) for line in keys if line.strip()]


def known_hosts(state: State) -> str:
    return "".join(f"{','.join(names_of(state, host))} {key}\n" for host in state.host_list() for key in host_keys(state, host))


def names_of(state: State, host: Host) -> list[str]:
    """As a known_hosts file names a host: with its port, where that is another one than SSH's."""
    port, names = flavours.of_host(state, host).ssh_port, [host.fqdn, host.name, host.address]
    return names if port == flavours.SSH_PORT else [f"[{name}]:{port}" for name in names]


def login(state: State, host: Host) -> str:
    """The user to log in as: root's door is closed once the deploys have made `deploy`."""
    found = engine.docker("exec", state.container(host.name), "id", "deploy", check=False)
    return "deploy" if found.returncode == 0 else "root"


def ssh_command(state: State, host: Host, user: str, *command: str) -> list[str]:
    return [
        "ssh",
        f"-F{state.folder / 'home/.ssh/config'}",
        f"-i{state.folder / 'id_ed25519'}",
        "-oIdentitiesOnly=yes",
        "-oStrictHostKeyChecking=yes",
        f"-oUserKnownHostsFile={state.folder / 'known_hosts'}",
        "-oGlobalKnownHostsFile=/dev/null",
        "-oLogLevel=ERROR",
        "-oConnectTimeout=5",
        f"{user}@{host.address}",
        *command,
    ]


def find(state: State, name: str) -> Host:
    for host in state.host_list():
        if name in (host.name, host.fqdn, host.address):
            return host
    known = ", ".join(host.name for host in state.host_list())
    raise LabError(f"lab {state.name} has no host {name}; it has {known}")
