"""What a host shows of itself before anything is changed: one shell script, and its answers."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from signupflow.hosts import locks
from signupflow.shared.places import POSTGRES_DATA

DAEMON_JSON = "/etc/docker/daemon.json"
# What this product last wrote into it, key by key: all others are somebody's own.
OWN_KEYS = "/var/lib/signupflow/applied/etc-docker-daemon.keys.json"

BASE = ("ca-certificates", "curl", "nftables", "sudo", "unattended-upgrades")
# Each keeps the clock; they conflict with each other.
CLOCKS = {
    "systemd-timesyncd": "systemd-timesyncd.service",
    "chrony": "chrony.service",
    "ntpsec": "ntpsec.service",
    "ntp": "ntp.service",
    "openntpd": "openntpd.service",
}
ENGINES = ("docker-ce", "docker.io", "moby-engine")
COMPOSE = ("docker-compose-v2", "docker-compose", "docker-compose-plugin")
DOCKERS = (*ENGINES, "docker-cli", "docker-ce-cli", "containerd", "containerd.io", "runc", "podman-docker", *COMPOSE)
ASKED = (*BASE, *CLOCKS, *DOCKERS)

LOOPBACK = re.compile(r"127\.|\[::1\]|\[::ffff:127\.")

# sh and what every Debian and Ubuntu has; as root. Nothing here changes anything.
SCRIPT = rf"""
LC_ALL=C; PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH
(. /etc/os-release && echo "os $ID $VERSION_ID")
echo "machine $(uname -m)"
test ! -d /run/systemd/system || echo systemd
if command -v nft >/dev/null; then echo nft; fi
dpkg-query -W -f 'package ${{db:Status-Abbrev}} ${{Package}} ${{Version}}\n' {" ".join(ASKED)} 2>/dev/null
if ls /var/lib/apt/lists 2>/dev/null | grep -q _Packages; then
  echo lists
  apt-cache policy {" ".join(ASKED)} 2>/dev/null |
    awk '/^[^ ]/ {{ n = $1; sub(/:$/, "", n) }} /^  Candidate: / && $2 != "(none)" {{ print "candidate", n, $2 }}'
fi
d=$(command -v dockerd) && echo "dockerd $(readlink -f "$d")"
test ! -e /snap/docker/current || echo snap
if command -v docker >/dev/null; then
  v=$(timeout 10 docker version --format '{{{{.Server.Version}}}}' 2>/dev/null) && echo "engine $v"
  v=$(timeout 10 docker compose version --short 2>/dev/null) && echo "compose $v"
  timeout 10 docker ps --format 'container {{{{.Names}}}} {{{{.Labels}}}}' 2>/dev/null
fi
systemctl show docker.service --property=ExecStart --value 2>/dev/null | sed -n 's/.*argv\[\]=\([^;]*\).*/starts \1/p'
test ! -f {DAEMON_JSON} || echo "daemon $(base64 -w0 {DAEMON_JSON})"
test ! -f {OWN_KEYS} || echo "own $(base64 -w0 {OWN_KEYS})"
test ! -f {POSTGRES_DATA}/cluster/PG_VERSION || echo "cluster $(cat {POSTGRES_DATA}/cluster/PG_VERSION)"
if command -v ss >/dev/null; then
  echo "listeners known"
  ss -Hltnp '( sport = :80 or sport = :443 )' | sed 's/^/listens /'
fi
if docker ps --quiet --filter name=^signupflow-traefik$ 2>/dev/null | grep -q .; then echo traefik; fi
if command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active'; then echo ufw; fi
if test ! -f /etc/ssh/sshd_config.d/10-signupflow.conf; then
  getent passwd | while IFS=: read -r user _ _ _ _ home _; do
    test ! -s "$home/.ssh/authorized_keys" || echo "keyed $user"
  done
fi
if command -v ss >/dev/null && ! nft list table inet signupflow >/dev/null 2>&1; then ss -Hltnp | sed 's/^/open /'; fi
{locks.HOLDERS}
true
"""


@dataclass(frozen=True)
class System:
    """A host's answers. `installed` is package to version, `half` those that dpkg has not finished; `engine` and `compose` are
    versions that answered; `starts` is how systemd starts Docker; `others` are running containers of somebody's own; `keyed` are
    logins with SSH keys, as long as no deploy has said who may come in, `open` what listens to the outside, as long as it has
    no firewall of a deploy's.
    """

    os: tuple[str, str] = ("", "")
    machine: str = ""
    systemd: bool = False
    nft: bool = False
    installed: dict[str, str] = field(default_factory=dict)
    half: frozenset[str] = frozenset()
    lists: bool = False
    candidates: dict[str, str] = field(default_factory=dict)
    dockerd: str = ""
    snap: bool = False
    engine: str = ""
    compose: str = ""
    starts: str = ""
    others: tuple[str, ...] = ()
    daemon_json: str | None = None
    own_keys: str = ""
    cluster: str = ""
    listeners: dict[int, str] | None = None
    our_traefik: bool = False
    ufw: bool = False
    keyed: frozenset[str] = frozenset()
    open: dict[int, str] = field(default_factory=dict)
    held: tuple[locks.Holder, ...] = ()

    @property
    def name(self) -> str:
        return " ".join(self.os).strip().capitalize()


def parse(lines: list[str]) -> System:
    """Read the script's answers; what is missing is missing on the host."""
    rows: dict[str, list[str]] = {}
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        rows.setdefault(word, []).append(rest.strip())

    def one(word: str) -> str:
        return rows.get(word, [""])[0]

    packages = [row.split() for row in rows.get("package", ())]
    identifier, _, version = one("os").partition(" ")
    return System(
        os=(identifier, version),
        machine=one("machine"),
        systemd="systemd" in rows,
        nft="nft" in rows,
        installed={row[1]: row[2] for row in packages if len(row) == 3 and row[0][1:2] == "i"},
        half=frozenset(row[1] for row in packages if len(row) == 3 and row[0][1:2] in "UFHWt"),
        lists="lists" in rows,
        candidates={name: found for name, _, found in (row.partition(" ") for row in rows.get("candidate", ()))},
        dockerd=one("dockerd"),
        snap="snap" in rows,
        engine=one("engine"),
        compose=one("compose").removeprefix("v"),
        starts=one("starts"),
        others=tuple(row.partition(" ")[0] for row in rows.get("container", ()) if "org.signupflow." not in row),
        daemon_json=_decoded(rows["daemon"][0]) if "daemon" in rows else None,
        own_keys=_decoded(one("own")),
        cluster=one("cluster"),
        listeners=dict(map(_listener, rows.get("listens", ()))) if "listeners" in rows else None,
        our_traefik="traefik" in rows,
        ufw="ufw" in rows,
        open=dict(_listener(row) for row in rows.get("open", ()) if not LOOPBACK.match(row.split()[3])),
        keyed=frozenset(rows.get("keyed", ())),
        held=tuple(locks.holders(lines)),
    )


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode(errors="replace")
    except binascii.Error:
        return ""


def _listener(line: str) -> tuple[int, str]:
    """A line of `ss -Hltnp`: state, two queues, local address with port, peer, and the program that root is told."""
    columns = line.split()
    program = line.partition('users:(("')[2].partition('"')[0]
    return int(columns[3].rpartition(":")[2]), program or "a program"
