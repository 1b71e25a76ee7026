"""Who is where: the hosts of one environment with their roles, and how one reaches another.

Roles on the same host reach each other by container name on Docker's networks. Roles on different
hosts use private addresses: the app publishes a port range there, PostgreSQL its own port.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from signupflow.errors import OperatorError

# What every client calls PostgreSQL: a container's name on its own host, an entry in the container's hosts file elsewhere.

# Ports that one generation of an app may take on a host; the next generation takes the other half of the range.
PORTS_PER_GENERATION = 64

# Traefik in a container of the same host, whatever network Docker gives it.
DOCKER_NETWORKS = "172.16.0.0/12,192.168.0.0/16"

# PostgreSQL keeps 3 for superusers; a migration, a backup and an operator's own session need some as well.
RESERVED_CONNECTIONS = 8


@dataclass(frozen=True)
class Member:
    """One host. `connections` is what all its replicas of one generation may open to PostgreSQL."""

    name: str
    roles: frozenset[str]
    private_address: str = ""
    connections: int = 0


@dataclass(frozen=True)
class Fleet:
    """All hosts that have a role, in inventory order; `apps` is the order of releases."""

    members: tuple[Member, ...]
    apps: tuple[str, ...]

    @classmethod
    def of(cls, members: Iterable[Member], apps: Iterable[str]) -> Fleet:
        """Check what every deploy relies on; raise OperatorError with the fault and the remedy."""
        fleet = cls(tuple(member for member in members if member.roles), tuple(apps))
        missing = {"edge", "app", "db"} - {role for member in fleet.members for role in member.roles}
        if missing:
            raise OperatorError(f"no host in group {', '.join(sorted(missing))}; a single host is in all three")
        for role, why in (("edge", "acme.json cannot be shared"), ("db", "there is one primary and no replication yet")):
            names = [member.name for member in fleet.members if role in member.roles]
            if len(names) > 1:
                raise OperatorError(f"{', '.join(names)} are all {role} hosts; exactly one can be, because {why}")
        fleet._check_addresses()
        return fleet

    def _check_addresses(self) -> None:
        if len(self.members) == 1:
            return
        seen: dict[str, str] = {}
        for member in self.members:
            where = f"private_address of {member.name}"
            if not member.private_address:
                raise OperatorError(f"{where} is missing; hosts of a cluster reach each other by it: set it in the inventory")
            address = ipaddress.ip_address(member.private_address)
            if address.version != 4 or address.is_loopback or address.is_unspecified:
                raise OperatorError(f"{where} is {address}; it must be the host's own IPv4 address on the private network")
            if member.private_address in seen:
                raise OperatorError(f"{where} is that of {seen[member.private_address]} as well")
            seen[member.private_address] = member.name

    def member(self, name: str) -> Member:
        """The host of that name; one without a role (a spare) has no more than its name."""
        return next((member for member in self.members if member.name == name), Member(name, frozenset()))

    def host_with_role(self, role: str) -> Member:
        """The one host that has `role` (edge or db)."""
        return next(member for member in self.members if role in member.roles)

    def colocated(self, name: str, role: str) -> bool:
        """Whether a host is itself the holder of `role`."""
        return self.host_with_role(role).name == name

    def database_address(self, name: str) -> str:
        """Address at which a host's containers reach PostgreSQL; empty when it runs beside them."""
        return "" if self.colocated(name, "db") else self.host_with_role("db").private_address

    def trusted_proxies(self, name: str, before_the_edge: Iterable[str] = ()) -> str:
        """Networks whose word in X-Forwarded-For a host's replicas believe (comma-separated CIDRs): Traefik's, and those of the
        proxies that Traefik believes. Of anybody else's word Traefik leaves nothing.
        """
        edge = DOCKER_NETWORKS if self.colocated(name, "edge") else f"{self.host_with_role('edge').private_address}/32"
        return ",".join((edge, *(str(ipaddress.ip_network(network)) for network in before_the_edge)))

    def database_clients(self) -> list[str]:
        """Private addresses that may open PostgreSQL's port: the app hosts beside the database host."""
        apps = [member for member in self.members if "app" in member.roles and "db" not in member.roles]
        return [member.private_address for member in apps]

    def check_connections(self, maximum: int) -> None:
        """Refuse a fleet whose replicas, of two generations at once, could ask for more connections than there are."""
        replicas = sum(member.connections for member in self.members)
        wanted = 2 * replicas + RESERVED_CONNECTIONS
        if wanted > maximum:
            each = ", ".join(f"{member.name} {member.connections}" for member in self.members if member.connections)
            raise OperatorError(
                f"replicas of two generations may open 2 x {replicas} connections ({each}), {wanted} with {RESERVED_CONNECTIONS} "
                f"reserved, and postgres_max_connections is {maximum}: raise it or lower app_replicas or app_database_connections"
            )


def ports(first: int, generation: int, replicas: int) -> range:
    """Private ports of one generation's replicas: two ranges take turns, so that neighbours never collide."""
    if not 1 <= replicas <= PORTS_PER_GENERATION:
        raise ValueError(f"{replicas} replicas do not fit into {PORTS_PER_GENERATION} ports")
    start = first + generation % 2 * PORTS_PER_GENERATION
    return range(start, start + replicas)


def all_ports(first: int) -> str:
    """Both ranges as nftables writes them."""
    return f"{first}-{first + 2 * PORTS_PER_GENERATION - 1}"
