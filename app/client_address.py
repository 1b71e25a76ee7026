"""Who is asking, when proxies stand in between."""

import ipaddress
from collections.abc import Sequence

from app.settings import IpNetwork


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[IpNetwork]) -> str:
    """The client's address: the last hop, read from the right, that is not one of our own proxies.

    `forwarded_for` holds the values of all X-Forwarded-For headers in order. Entries to the left of the first untrusted
    hop are whatever the client wrote, so they are never believed; an entry that is no address ends the reading.
    """
    address = peer
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
    while hops and _is_trusted(address, trusted):
        parsed = _parse(hops.pop())
        if parsed is None:
            break
        address = parsed
    return address


def _is_trusted(address: str, trusted: Sequence[IpNetwork]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted)


def _parse(hop: str) -> str | None:
    """An address out of `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1` or `[2001:db8::1]:5678`; None for anything else."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return None
