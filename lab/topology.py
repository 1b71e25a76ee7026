"""Which host does what: the roles of the first hosts, by topology. Hosts beyond those are spare."""

from __future__ import annotations

from lab.errors import LabError

SINGLE, CLUSTER, SMALL_CLUSTER = "single", "cluster", "small-cluster"
ROLES: dict[str, tuple[tuple[str, ...], ...]] = {
    SINGLE: (("edge", "app", "db"),),
    CLUSTER: (("edge",), ("app",), ("app",), ("db",)),
    SMALL_CLUSTER: (("edge", "db"), ("app",), ("app",)),
}
SPARE = ("spare",)


def check(topology: str) -> str:
    """Guards against a state file of another version as well as against a wrong argument."""
    if topology not in ROLES:
        raise LabError(f"there is no topology {topology}; there are {', '.join(ROLES)}")
    return topology


def minimum(topology: str) -> int:
    """The number of hosts that the topology needs, which is also how many a new lab has."""
    return len(ROLES[check(topology)])


def roles(topology: str, number: int) -> tuple[str, ...]:
    """The roles of host `number`, which counts from 1."""
    table = ROLES[check(topology)]
    return table[number - 1] if number <= len(table) else SPARE
