"""What a host shows of releases: its deploy lock, the generations it keeps, and whether it is ready for another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyinfra.api import FactBase, QuoteString, StringCommand

from facts.database import PSQL, SILENT
from signupflow.release import lock, readiness


class HeldLock(FactBase["lock.Lock | None"]):
    """The deploy lock on a host, run out or not; None where there is none."""

    @staticmethod
    def default() -> lock.Lock | None:
        return None

    def command(self) -> str:
        return lock.READ

    def process(self, output: list[str]) -> lock.Lock | None:
        return lock.parse("\n".join(output))


class Generations(FactBase[dict[int, str]]):
    """Numbers of the generations whose files an app keeps in a directory, with the hash each was made from."""

    @staticmethod
    def default() -> dict[int, str]:
        return {}

    def command(self, directory: str) -> StringCommand:
        return StringCommand(
            "for d in", f"{directory}/g*/;", 'do test -d "$d" || continue; n=$(basename "$d");',
            "echo \"${n#g} $(sed -n 's/^SIGNUPFLOW_CONFIG_HASH=//p' \"$d/.env\" 2>/dev/null)\"; done",
        )  # fmt: skip

    def process(self, output: list[str]) -> dict[int, str]:
        rows = (line.partition(" ") for line in output)
        return {int(number): found for number, _, found in rows if number.isdigit()}


class Readiness(FactBase[readiness.Host]):
    """Free disk where images are, memory a new process could get, and the clock, in one round trip."""

    def command(self) -> str:
        return (
            "d=$(timeout 10 docker info --format '{{.DockerRootDir}}' 2>/dev/null); test -d \"$d\" || d=/var/lib/docker;"
            " test -d $d || d=/var/lib;"
            " memory=$(sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo);"
            " echo $(df --output=avail -B1 $d | tail -1) $(( memory * 1024 ))"
            " $(date +%s.%N)"
        )

    def process(self, output: list[str]) -> readiness.Host:
        disk, memory, clock = output[0].split()
        return readiness.Host(int(disk), int(memory), float(clock))


class Connections(FactBase[readiness.Database | None]):
    """PostgreSQL's connections; zero of zero on a host without a cluster, None when there is one that does not answer."""

    @staticmethod
    def default() -> readiness.Database | None:
        return readiness.Database(0, 0)

    def requires_command(self) -> str:
        return "docker"

    def command(self) -> StringCommand:
        query = (
            "select count(*) || ' ' || current_setting('max_connections') from pg_stat_activity"
            " where backend_type = 'client backend'"
        )
        return StringCommand(PSQL, "-d postgres -c", QuoteString(query), "2>/dev/null", SILENT)

    def process(self, output: list[str]) -> readiness.Database | None:
        # Docker writes an exec that it cannot start to standard output: what is no answer is none.
        match = re.fullmatch(r"(\d+) (\d+)", output[0]) if output else None
        return readiness.Database(int(match[1]), int(match[2])) if match else None


class ResolvedDomains(FactBase[frozenset[str]]):
    """Which of these names lead to an IPv4 address, as this host's resolver says."""

    @staticmethod
    def default() -> frozenset[str]:
        return frozenset()

    def command(self, names: Sequence[str]) -> StringCommand:
        quoted = (QuoteString(name) for name in names)
        return StringCommand("for name in", *quoted, '; do getent ahostsv4 "$name" >/dev/null && echo "$name"; done; true')

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(line.strip() for line in output if line.strip())


class CertifiedDomains(FactBase[frozenset[str]]):
    """Names for which Traefik keeps a certificate; of its file, which holds private keys, nothing else is read."""

    @staticmethod
    def default() -> frozenset[str]:
        return frozenset()

    def command(self, path: str) -> StringCommand:
        return StringCommand("test ! -f", QuoteString(path), '|| grep -oE \'"main": *"[^"]+"\'', QuoteString(path), "|| true")

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(line.split('"')[3] for line in output if line.count('"') == 4)
