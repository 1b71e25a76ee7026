"""What `init` asks of the world: ssh-keyscan, ssh, DNS, ports. Each answers with what it saw and judges nothing."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from signupflow.cli.init.checks import WEB
from signupflow.cli.init.config import Answers, Host
from signupflow.cli.init.host_keys import SCANNED_TYPES, HostKey, scanned
from signupflow.errors import OperatorError

SECONDS = 10
# A host that asks another one in vain takes 5 s for each.
SCRIPT_SECONDS = 120


def host_keys(host: Host, port: int) -> list[HostKey]:
    """What a host shows as its keys, fetched once; none when SSH does not answer there."""
    command = ["ssh-keyscan", "-T", str(SECONDS), "-p", str(port), "-t", SCANNED_TYPES, host.address]
    return scanned(subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout)


@dataclass(frozen=True)
class Login:
    """How a script ended there: its output, or why it did not run. `clock` is this machine's, before and after."""

    user: str
    output: str
    error: str
    clock: tuple[float, float]


def log_in(answers: Answers, host: Host, user: str, known_hosts: Path, script: str) -> Login:
    """Run a script by ssh: with the pinned key or not at all, and without a question."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(SECONDS),
        "LogLevel": "ERROR",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        **({"IdentitiesOnly": "yes"} if answers.ssh_key else {}),
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    key = ["-i", answers.ssh_key] if answers.ssh_key else []
    command = ["ssh", *words, *key, "-p", str(answers.ssh_port), f"{user}@{host.address}", "sh -s"]
    before = time.time()
    try:
        done = subprocess.run(
            command, input=script, capture_output=True, text=True, errors="replace", check=False, timeout=SCRIPT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Login(user, "", f"no end after {SCRIPT_SECONDS} s", (before, time.time()))
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    error = (said[-1] if said else f"ssh exited {done.returncode}") if done.returncode else ""
    return Login(user, done.stdout, error, (before, time.time()))


def addresses(name: str, server: str = "") -> list[str]:
    """Where a name leads to, IPv4 first; none when it leads nowhere. `server` is asked in the place of this machine's own."""
    return _asked(name, server) if server else _resolved(name)


def _resolved(name: str) -> list[str]:
    try:
        found = {str(row[4][0]) for row in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return []
    return sorted(found, key=lambda address: (":" in address, address))


def _asked(name: str, server: str) -> list[str]:
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.nameservers = [server]
    except ValueError:
        raise OperatorError(f"--dns-server {server!r} is not an address") from None
    resolver.lifetime = SECONDS
    found: list[str] = []
    for kind in ("A", "AAAA"):
        with contextlib.suppress(dns.exception.DNSException):
            found += sorted(str(row) for row in resolver.resolve(name, kind))
    return found


def knock(host: Host, ports: Sequence[int] = WEB) -> dict[int, str]:
    """Port to `open`, `closed` (the host says that nothing listens), or `silent` (something on the way swallows it)."""
    return {port: _knock(host.address, port) for port in ports}


def _knock(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=SECONDS / 2):
            return "open"
    except OSError as error:
        return "closed" if error.errno == errno.ECONNREFUSED else "silent"
