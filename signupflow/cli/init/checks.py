"""What a host must be before anything is written about it: each judged here from what was seen, none observed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from signupflow.cli.init.config import Host
from signupflow.cli.init.prompts import Said
from signupflow.hosts import docker, packages, sshd
from signupflow.hosts import readiness as hosts
from signupflow.release.readiness import CLOCK_SECONDS, SPARE_DISK_BYTES, size_bytes
from signupflow.settings import Environment

OK, WARN, FAIL = "ok", "warn", "FAIL"

# An allowance for Docker, what it depends on, and the archives they come in.
DOCKER_DISK_BYTES = 1024**3
WEB = (80, 443)
MIB = 1024**2


@dataclass(frozen=True)
class Check:
    """One line of the table. `where` is a host, or what else was asked; `remedy` is empty where all is well."""

    where: str
    what: str
    verdict: str
    result: str
    remedy: str = ""


@dataclass(frozen=True)
class Needs:
    """What one host must have room for. `image_architecture` is empty where no image is known yet; `daemon` are the keys that
    Docker's configuration is to have, `drop_in` the settings that sshd is to get, `postgres` the major version of its image.
    """

    image_bytes: int
    memory_bytes: int
    image_architecture: str = ""
    daemon: Mapping[str, object] = field(default_factory=dict)
    drop_in: str = ""
    postgres: int = 0

    def wants(self, edge: bool) -> hosts.Wants:
        return hosts.Wants(edge, self.image_architecture, self.postgres, self.daemon)


def memory_needed(host: Host, env: Environment) -> int:
    """What its roles may take at most: PostgreSQL, and two generations of replicas while a release runs."""
    database = size_bytes(env.postgres_memory) if "db" in host.roles else 0
    return database + (2 * env.app_replicas * size_bytes(env.app_memory) if "app" in host.roles else 0)


def of_host(host: Host, said: Said, needs: Needs, clock: tuple[float, float], peers: Sequence[Host]) -> Iterator[Check]:
    """Everything that a host's own answers tell. `clock` is this machine's, before and after it was asked."""
    yield _privilege(host, said)
    yield from _system(host, said, needs)
    yield _disk(host, said, needs)
    yield _memory(host, said, needs)
    yield _clock(host, said, clock)
    if "edge" in host.roles:
        yield _ports(host, said)
    if peers:
        yield _private(host, said, peers)


def _privilege(host: Host, said: Said) -> Check:
    result = {"root": "is root", "sudo": "without a password"}.get(said.privilege)
    if result:
        return Check(host.name, "sudo", OK, result)
    return Check(
        host.name, "sudo", FAIL, "asks for a password", "log in as root (--ssh-user root), or give the login NOPASSWD in sudoers"
    )


# What each reason against a host begins with, and the row it stands in.
ROWS = {"systemd": "OS", "nftables": "OS", "architecture": "architecture", "docker": "Docker", "postgres": "PostgreSQL"}


def _system(host: Host, said: Said, needs: Needs) -> Iterator[Check]:
    """The operating system as it is there: what decides is what it has, not its number."""
    system, wants = said.system, needs.wants(edge="edge" in host.roles)
    found: dict[str, list[str]] = {}
    for problem in hosts.problems(system, wants):
        word, _, rest = problem.partition(": ")
        if word != "ports":
            found.setdefault(ROWS[word], []).append(problem if ROWS[word] == "OS" else rest)
    choice = docker.choose(system)
    coming = f"none yet: {', '.join(choice.packages)} will be installed"
    well = {"OS": system.name, "Docker": choice.engine or coming, "architecture": system.machine}
    for what in dict.fromkeys((*well, *found)):
        if what in found:
            yield from (Check(host.name, what, FAIL, *_said(problem)) for problem in found[what])
        else:
            yield Check(host.name, what, OK, well[what])
    for problem in sshd.problems(said.sshd, needs.drop_in) if needs.drop_in else ():
        yield Check(host.name, "sshd", FAIL, *_said(problem.removeprefix("sshd: ")))
    for note in hosts.notes(system, wants):
        yield Check(host.name, "found", OK, note)


def _said(problem: str) -> tuple[str, str]:
    """A reason in one line, as the table's result and remedy."""
    result, _, remedy = problem.rpartition(": ")
    return (result, remedy) if result else (remedy, "see docs/HOSTS.md")


def of_packages(host: Host, names: Sequence[str], gone: Sequence[str]) -> Check:
    """What `apt-get -s` says of the packages that a deploy would install."""
    if gone:
        return Check(host.name, "packages", FAIL, *_said(packages.removal_problem(names, gone)))
    return Check(host.name, "packages", OK, f"{len(names)} will be installed, none removed" if names else "all are there")


def _disk(host: Host, said: Said, needs: Needs) -> Check:
    needed = DOCKER_DISK_BYTES + SPARE_DISK_BYTES + 2 * needs.image_bytes
    result = f"{said.disk_free // MIB} MB free of {needed // MIB} needed"
    if said.disk_free < needed:
        return Check(host.name, "disk", FAIL, result, "free some under /var/lib, or rent a larger disk")
    return Check(host.name, "disk", OK, result)


def _memory(host: Host, said: Said, needs: Needs) -> Check:
    result = f"{said.memory // MIB} MB of {needs.memory_bytes // MIB} needed"
    if said.memory < needs.memory_bytes:
        return Check(host.name, "memory", FAIL, result, "rent more, or lower postgres_memory or app_memory by --set")
    return Check(host.name, "memory", OK, result)


def _clock(host: Host, said: Said, clock: tuple[float, float]) -> Check:
    before, after = clock
    # It was read at some moment in between; what cannot be told is not held against it.
    offset = said.clock - min(max(said.clock, before), after)
    if abs(offset) > CLOCK_SECONDS:
        remedy = "see `timedatectl` there and here (tokens and certificates depend on it)"
        return Check(host.name, "clock", FAIL, f"{offset:+.0f} s from this machine's", remedy)
    return Check(host.name, "clock", OK, f"{offset:+.1f} s from this machine's")


def _ports(host: Host, said: Said) -> Check:
    what = "ports 80, 443"
    if said.system.listeners is None:
        return Check(host.name, what, WARN, "not known: there is no `ss`", "apt-get install iproute2, and run this again")
    foreign = {} if said.system.our_traefik else said.system.listeners
    if foreign:
        taken = ", ".join(f"{port} by {program}" for port, program in sorted(foreign.items()))
        return Check(host.name, what, FAIL, f"taken: {taken}", "stop and disable it: Traefik needs both")
    return Check(host.name, what, OK, "Traefik's" if said.system.listeners else "free")


def _private(host: Host, said: Said, peers: Sequence[Host]) -> Check:
    what = "private network"
    if host.private_address not in said.addresses:
        has = ", ".join(address for address in said.addresses if not address.startswith("127.")) or "no IPv4 address"
        remedy = f"it has {has}: say which by --private-address {host.name}=IPV4"
        return Check(host.name, what, FAIL, f"{host.private_address} is not its address", remedy)
    missed = [peer for peer in peers if peer.private_address in said.misses]
    if missed:
        names = ", ".join(f"{peer.name} at {peer.private_address}" for peer in missed)
        return Check(host.name, what, FAIL, f"does not reach {names}", "put the hosts on one network, and open it between them")
    return Check(host.name, what, OK, f"reaches {', '.join(peer.name for peer in peers)}")


def of_domain(domain: str, edge: str, found: Sequence[str], expected: Sequence[str]) -> Check:
    """`found` is what the name leads to (IPv4 and IPv6), `expected` the edge's IPv4 addresses. A name may come later."""
    target = expected[0] if expected else edge
    record = f"make the record  {domain}. A {target}"
    if not found:
        return Check(domain, "DNS", WARN, "has no record", f"{record}: its certificate comes by the first deploy after that")
    wrong = [address for address in found if address not in expected]
    if not wrong:
        return Check(domain, "DNS", OK, f"points to {', '.join(found)}")
    sixth = [address for address in wrong if ":" in address]
    if len(sixth) == len(wrong) < len(found):
        return Check(domain, "DNS", WARN, f"points to {', '.join(found)}", "take the AAAA record away: the edge answers IPv4")
    return Check(domain, "DNS", WARN, f"points to {', '.join(found)}", record)


def of_entry(host: Host, answers: dict[int, str]) -> Check:
    """Whether 80 and 443 of the edge can be reached from here: open, closed (nothing listens yet), or silent."""
    what = "reached from here"
    silent = [str(port) for port in WEB if answers.get(port, "silent") == "silent"]
    if silent:
        remedy = f"open {' and '.join(silent)} in the provider's firewall"
        return Check(host.name, what, WARN, f"no answer on {', '.join(silent)}", remedy)
    return Check(host.name, what, OK, ", ".join(f"{port} {answers[port]}" for port in WEB))
