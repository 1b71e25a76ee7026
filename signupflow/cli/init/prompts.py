"""What one host is asked, as a shell script that runs there, and what it said."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from signupflow.hosts import access, sshd
from signupflow.hosts import system as systems

# sh, because a bare host has nothing else for sure; bash is on every Debian and Ubuntu, and speaks TCP by itself.
SCRIPT = r"""
LC_ALL=C; export LC_ALL
echo "clock $(date +%s.%N)"
as_root=
if [ "$(id -u)" = 0 ]; then echo "privilege root"
elif sudo -n true 2>/dev/null; then echo "privilege sudo"; as_root="sudo -n"
else echo "privilege none"; fi
d=$($as_root docker info --format '{{.DockerRootDir}}' 2>/dev/null); test -d "$d" || d=/var/lib/docker
test -d $d || d=/var/lib
echo "disk $(df --output=avail -B1 $d | tail -n 1)"
sed -n 's/^MemTotal: *\([0-9]*\) kB/memory \1/p' /proc/meminfo
$as_root sh -s <<'SIGNUPFLOW_SYSTEM'
@system@
SIGNUPFLOW_SYSTEM
ip -4 -o addr show 2>/dev/null | grep -vE '^[0-9]+: (docker|br-)' | sed -n 's|.* inet \([0-9.]*\)/.*|address \1|p'
for to in $others; do
  a=${to%:*}
  if timeout 5 bash -c ": < /dev/tcp/$a/${to##*:}" 2>/dev/null; then echo "reaches $a"; else echo "misses $a"; fi
done
"""


@dataclass(frozen=True)
class Said:
    """What a host says of itself. Bytes; `clock` is its Unix time."""

    clock: float
    privilege: str
    disk_free: int
    memory: int
    addresses: tuple[str, ...]
    misses: tuple[str, ...]
    system: systems.System
    sshd: sshd.Sshd
    access: access.Access


def script(others: Sequence[tuple[str, int]], drop_in: str = "", user: str = "deploy") -> str:
    """The questions; `others` are the private addresses and ports at which this host must reach the other hosts' SSH, `drop_in`
    are the settings that sshd is to get.
    """
    asked = systems.SCRIPT + access.SCRIPT + (sshd.script(drop_in, user) if drop_in else "")
    places = " ".join(f"{address}:{port}" for address, port in others)
    return f"others={shlex.quote(places)}\n{SCRIPT.replace('@system@', asked)}"


def parse(output: str, user: str = "deploy") -> Said:
    """Read the answers; ValueError when they are not the script's."""
    rows = [line.split(maxsplit=1) for line in output.splitlines()]
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row[0] if row else "", []).append(row[1].strip() if len(row) > 1 else "")

    def one(name: str) -> str:
        if name not in found:
            raise ValueError(f"it does not say its {name}")
        return found[name][0]

    lines = output.splitlines()
    one("os")
    return Said(
        clock=float(one("clock")),
        privilege=one("privilege"),
        disk_free=int(one("disk")),
        memory=int(one("memory")) * 1024,
        addresses=tuple(found.get("address", ())),
        misses=tuple(found.get("misses", ())),
        system=systems.parse(lines),
        sshd=sshd.parse(lines, user),
        access=access.parse(lines),
    )
