"""What `init` asks of the world: ssh-keyscan, ssh, DNS, ports. Each answers with what it saw and judges nothing."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from signupflow.cli.init.checks import WEB
from signupflow.cli.init.config import Answers, Host
from signupflow.cli.init.host_keys import SCANNED_TYPES, HostKey, scanned
from signupflow.errors import OperatorError
from signupflow.ssh_route import SSH_PORT, Route, route

SECONDS = 10
# A host that asks another one in vain takes 5 s for each.
SCRIPT_SECONDS = 120


def host_keys(host: Host, port: int) -> list[HostKey]:
    """What a host shows as its keys, fetched once; none when SSH does not answer there."""
    way = to(host, port)
    if way.by_jump:
        return _key_by_jump(host, way)
    command = ["ssh-keyscan", "-T", str(SECONDS), "-p", str(way.port), "-t", SCANNED_TYPES, way.hostname]
    return scanned(subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout)


def to(host: Host, port: int) -> Route:
    """Where ssh goes for a host: by `--ssh-port` when it was given, else by ~/.ssh/config."""
    return route(host.address, port if port != SSH_PORT else 0)


def _key_by_jump(host: Host, way: Route) -> list[HostKey]:
    """ssh-keyscan knows no jump hosts. ssh writes down the key that it is shown, whether or not it is let in after that."""
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "shown"
        options = ("BatchMode=yes", "StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={shown}", "HashKnownHosts=no")
        words = [word for option in (*options, "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no") for word in ("-o", option)]
        command = ["ssh", *words, "-p", str(way.port), host.address, "true"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=4 * SECONDS)
        return scanned(shown.read_text() if shown.is_file() else "")


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
    port = ["-p", str(answers.ssh_port)] if answers.ssh_port != SSH_PORT else []
    command = ["ssh", *words, *key, *port, f"{user}@{host.address}", "sh -s"]
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
    return {port: _knock(route(host.address).hostname, port) for port in ports}


def _knock(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=SECONDS / 2):
            return "open"
    except OSError as error:
        return "closed" if error.errno == errno.ECONNREFUSED else "silent"
