"""What one host is asked, as a shell script that runs there, and what it said."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# sh, because a bare host has nothing else for sure; bash is on every Debian and Ubuntu, and speaks TCP by itself.
SCRIPT = r"""
LC_ALL=C; export LC_ALL
echo "clock $(date +%s.%N)"
as_root=
if [ "$(id -u)" = 0 ]; then echo "privilege root"
elif sudo -n true 2>/dev/null; then echo "privilege sudo"; as_root="sudo -n"
else echo "privilege none"; fi
(. /etc/os-release && echo "os $ID $VERSION_ID")
echo "machine $(uname -m)"
d=/var/lib/docker; test -d $d || d=/var/lib
echo "disk $(df --output=avail -B1 $d | tail -n 1)"
sed -n 's/^MemTotal: *\([0-9]*\) kB/memory \1/p' /proc/meminfo
if command -v ss >/dev/null; then
  echo "listeners known"
  $as_root ss -Hltnp '( sport = :80 or sport = :443 )' | sed 's/^/listens /'
fi
if $as_root docker ps --quiet --filter name=^signupflow-traefik$ 2>/dev/null | grep -q .; then echo "traefik ours"; fi
ip -4 -o addr show 2>/dev/null | grep -vE '^[0-9]+: (docker|br-)' | sed -n 's|.* inet \([0-9.]*\)/.*|address \1|p'
for a in $others; do
  if timeout 5 bash -c ": < /dev/tcp/$a/$port" 2>/dev/null; then echo "reaches $a"; else echo "misses $a"; fi
done
"""


@dataclass(frozen=True)
class Said:
    """What a host says of itself. Bytes; `clock` is its Unix time; `listeners` is port to program, None when not known."""

    clock: float
    privilege: str
    os: tuple[str, str]
    machine: str
    disk_free: int
    memory: int
    listeners: dict[int, str] | None
    our_traefik: bool
    addresses: tuple[str, ...]
    misses: tuple[str, ...]


def script(others: Sequence[str], port: int) -> str:
    """The questions; `others` are the private addresses at which this host must reach the other hosts' SSH."""
    return f"others={shlex.quote(' '.join(others))}; port={port}\n{SCRIPT}"


def parse(output: str) -> Said:
    """Read the answers; ValueError when they are not the script's."""
    rows = [line.split(maxsplit=1) for line in output.splitlines()]
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row[0] if row else "", []).append(row[1].strip() if len(row) > 1 else "")

    def one(name: str) -> str:
        if name not in found:
            raise ValueError(f"it does not say its {name}")
        return found[name][0]

    system, _, version = one("os").partition(" ")
    return Said(
        clock=float(one("clock")),
        privilege=one("privilege"),
        os=(system, version),
        machine=one("machine"),
        disk_free=int(one("disk")),
        memory=int(one("memory")) * 1024,
        listeners=dict(map(_listener, found.get("listens", ()))) if "listeners" in found else None,
        our_traefik="traefik" in found,
        addresses=tuple(found.get("address", ())),
        misses=tuple(found.get("misses", ())),
    )


def _listener(line: str) -> tuple[int, str]:
    """A line of `ss -Hltnp`: state, two queues, local address with port, peer, and the program that root is told."""
    columns = line.split()
    program = line.partition('users:(("')[2].partition('"')[0]
    return int(columns[3].rpartition(":")[2]), program or "a program"
