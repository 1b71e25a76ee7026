"""Where ssh would go for a name: what ~/.ssh/config says of it counts, as it does for ssh and for pyinfra."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import dataclass

SSH_PORT = 22


@dataclass(frozen=True)
class Route:
    """`hostname` and `port` are those that a known_hosts file names; `by_jump` is whether another host stands in between."""

    hostname: str
    port: int = SSH_PORT
    by_jump: bool = False


@functools.cache
def route(name: str, port: int = 0) -> Route:
    """`port` is one that was said, and goes before ssh's own configuration; 0 where none was."""
    try:
        done = subprocess.run(["ssh", "-G", "--", name], capture_output=True, text=True, errors="replace", check=False)
    except OSError:  # no ssh here
        return Route(name, port or SSH_PORT)
    return parse(done.stdout, name, port)


def parse(text: str, name: str, port: int = 0) -> Route:
    """What `ssh -G` prints: a keyword and its value on each line."""
    said = {key: value for key, _, value in (line.partition(" ") for line in text.splitlines())}
    jumps = any(said.get(key, "none") not in ("none", "") for key in ("proxyjump", "proxycommand"))
    return Route(said.get("hostname") or name, port or int(said.get("port") or SSH_PORT), jumps)
