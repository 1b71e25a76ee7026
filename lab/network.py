"""Each lab's own network: its subnet, the addresses in it, and the names that its DNS answers."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lab import engine
from lab.errors import LabError

Network = ipaddress.IPv4Network

# Last octets. The gateway is .1; hosts follow from FIRST_HOST on.
SERVERS = {"registry": 2, "dns": 3, "acme": 4, "s3": 5, "sink": 6}
FIRST_HOST = 11
MAX_HOSTS = 40
SITES = ("signupflow", "volunteers")


def candidates(name: str) -> Iterator[Network]:
    """/24 networks in 10.64.0.0/10, starting at one that the name decides, so that a lab keeps its addresses."""
    total = 64 * 256
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % total
    for step in range(total):
        second, third = divmod((start + step) % total, 256)
        yield Network((10 << 24 | (64 + second) << 16 | third << 8, 24))


def choose_subnet(name: str, taken: Iterable[Network]) -> Network:
    """The first candidate that overlaps nothing that is taken."""
    networks = list(taken)
    for candidate in candidates(name):
        if not any(candidate.overlaps(network) for network in networks):
            return candidate
    raise LabError("no free /24 is left in 10.64.0.0/10")


def routed(table: str) -> list[Network]:
    """Networks that this machine has a route to, the default route excepted; `table` is /proc/net/route."""
    networks = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        destination, mask = (struct.unpack("<I", bytes.fromhex(fields[i]))[0] for i in (1, 7))
        if mask:
            networks.append(Network((destination, mask.bit_count())))
    return networks


def default_interface(table: str) -> str | None:
    """The interface of the default route; `table` is /proc/net/route."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000":
            return fields[0]
    return None


def uplink_mtu() -> int:
    """The MTU of the default route's interface: a bridge with a larger one loses big packets silently."""
    route = Path("/proc/net/route")
    interface = default_interface(route.read_text()) if route.is_file() else None
    mtu = Path(f"/sys/class/net/{interface}/mtu")
    return int(mtu.read_text()) if interface and mtu.is_file() else 1500


def taken() -> list[Network]:
    """What a new lab must not overlap: this machine's routes and every Docker network."""
    route = Path("/proc/net/route")
    networks = routed(route.read_text()) if route.is_file() else []
    ids = engine.docker("network", "ls", "--quiet").stdout.split()
    if ids:
        for network in json.loads(engine.docker("network", "inspect", *ids).stdout):
            for config in (network.get("IPAM") or {}).get("Config") or []:
                subnet = ipaddress.ip_network(config.get("Subnet", "0.0.0.0/32"), strict=False)
                if isinstance(subnet, Network):
                    networks.append(subnet)
    return networks


def address(subnet: str, last: int) -> str:
    return str(Network(subnet)[last])


def free_port() -> int:
    """A loopback port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def upstream_nameservers(resolv: str, resolved: str = "") -> list[str]:
    """Nameservers that containers can reach: a stub on loopback is replaced by what systemd-resolved forwards to."""

    def parse(text: str) -> list[str]:
        lines = (line.split() for line in text.splitlines())
        return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver" and ":" not in words[1]]

    found = [server for server in parse(resolv) if not server.startswith("127.")]
    return found or [server for server in parse(resolved) if not server.startswith("127.")]


def machine_nameservers() -> list[str]:
    def text(path: str) -> str:
        file = Path(path)
        return file.read_text() if file.is_file() else ""

    return upstream_nameservers(text("/etc/resolv.conf"), text("/run/systemd/resolve/resolv.conf"))


def dnsmasq_config(zone: str, names: Mapping[str, str], upstream: Iterable[str]) -> str:
    """Answers `names` (name: address) itself, says that nothing else exists in `zone`, and forwards the rest."""
    lines = ["no-resolv", "no-hosts", "log-queries", "cache-size=1000", f"local=/{zone}/"]
    lines += [f"server={server}" for server in upstream]
    lines += [f"host-record={name},{ip}" for name, ip in sorted(names.items())]
    return "\n".join(lines) + "\n"
