"""How much of its memory limit this container uses: cgroup v2, cgroup v1, or the machine where there is no limit.

Memory that the kernel gives back without effort (file pages not used lately: inactive_file) is not counted, or an
instance that read much from disk would look full. It is what `docker stats` and the kubelet do.
"""

from pathlib import Path


def used_percent(root: Path = Path("/")) -> float | None:
    """Percent of the tightest limit in force; None when the kernel tells nothing. `root` is for tests."""
    machine = _machine(root)
    total = machine[1] if machine else float("inf")
    for usage in (_cgroup_v2(root), _cgroup_v1(root), machine):
        if usage and 0 < usage[1] <= total:
            return 100 * usage[0] / usage[1]
    return None


def _cgroup_v2(root: Path) -> tuple[float, float] | None:
    for directory in _directories(root, controller="", mount="sys/fs/cgroup"):
        limit, used = _number(directory / "memory.max"), _number(directory / "memory.current")
        if limit is not None and used is not None:
            return used - _table(directory / "memory.stat").get("inactive_file", 0), limit
    return None


def _cgroup_v1(root: Path) -> tuple[float, float] | None:
    for directory in _directories(root, controller="memory", mount="sys/fs/cgroup/memory"):
        limit, used = _number(directory / "memory.limit_in_bytes"), _number(directory / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            stat = _table(directory / "memory.stat")
            # A parent's limit counts as well when it is tighter.
            limit = min(limit, stat.get("hierarchical_memory_limit", limit))
            return used - stat.get("total_inactive_file", 0), limit
    return None


def _machine(root: Path) -> tuple[float, float] | None:
    table = _table(root / "proc/meminfo")
    total, available = table.get("MemTotal:"), table.get("MemAvailable:")
    return None if total is None or available is None else (1024 * (total - available), 1024 * total)


def _directories(root: Path, controller: str, mount: str) -> list[Path]:
    """Where this process's limits may be: its own cgroup as the host names it, then the mount itself (in a container the
    mount is the container's own cgroup)."""
    own = []
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == controller or (controller and controller in controllers.split(",")):
            own.append(root / mount / path.strip("/"))
    return [*own, root / mount]


def _number(path: Path) -> float | None:
    """The number in the file; None for no file and for "max"."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, float]:
    """`name number ...` lines."""
    pairs = (line.split() for line in _lines(path))
    return {pair[0]: float(pair[1]) for pair in pairs if len(pair) > 1 and pair[1].isdecimal()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
