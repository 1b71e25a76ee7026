"""What people see of a running service: tables of its state and of its history, or the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signupflow.release import agreement
from signupflow.release.ledger import RELEASED, Record

# What a record's outcome looks like.
STYLES = {RELEASED: "green", "restored": "green", "failed": "red", "aborted": "yellow", "interrupted": "yellow"}


@dataclass(frozen=True)
class Serves:
    """One generation on one host. `percent` is its share of the host's traffic, None where that cannot be known; `healthy` of
    `replicas` run and are well; `image` is the release's identity (`signupflow.release.served`)."""

    generation: int
    version: str
    percent: int | None
    replicas: int
    healthy: int
    since: str = ""
    image: str = ""


@dataclass(frozen=True)
class HostState:
    """One host. `lock` says who is at work; `problem` why nothing more is known. Sizes in bytes."""

    name: str
    roles: tuple[str, ...]
    serves: tuple[Serves, ...] = ()
    disk_free: int = 0
    memory_available: int = 0
    lock: str = ""
    problem: str = ""


@dataclass(frozen=True)
class DomainState:
    """One domain as the public entry shows it: `status` 0 and `said` when it does not answer."""

    domain: str
    status: int
    message: str
    certificate_days: float


@dataclass(frozen=True)
class Status:
    """Everything of one environment, at one moment."""

    environment: str
    app: str
    hosts: tuple[HostState, ...]
    domains: tuple[DomainState, ...]
    schema: str
    maintenance: str = ""
    last: tuple[Record, ...] = field(default=())
    # About the backups, in a line; empty where none are made.
    backup: str = ""
    # Database of an old service that serves instead, until it is moved.
    unmoved: str = ""

    @property
    def split(self) -> str:
        """That hosts serve different releases, in a line; empty when they do not."""
        return agreement.split(
            {
                host.name: [(item.image or item.version, item.version) for item in host.serves if item.percent]
                for host in self.hosts
            }
        )

    @property
    def at_work(self) -> str:
        """Who holds a deploy lock; a split is then on its way to its end."""
        return next((host.lock for host in self.hosts if host.lock), "")

    @property
    def healthy(self) -> bool:
        """Every host answers, all serve one release, and every replica and domain is healthy."""
        served = [item for host in self.hosts for item in host.serves]
        return (
            not any(host.problem for host in self.hosts)
            and bool(served)
            and not self.split
            and all(item.healthy == item.replicas for item in served)
            and all(domain.status == 200 for domain in self.domains)
        )

    def as_json(self) -> str:
        return json.dumps({"healthy": self.healthy, "split": self.split, **asdict(self)}, indent=2)


def print_status(status: Status, console: Console) -> None:
    """One screen."""
    if status.split:
        way = f"a deployment is at work: {status.at_work}" if status.at_work else agreement.ways_out()
        console.print(Text(f"{status.split}. {way}", style="bold red"), soft_wrap=True)
    word = Text("healthy", style="bold green") if status.healthy else Text("UNHEALTHY", style="bold red")
    console.print(
        Text.assemble((f"{status.app} in {status.environment}: ", "bold"), word, f"   schema {status.schema or 'none'}")
    )
    if status.maintenance:
        console.print(Text(f"maintenance page is up: {status.maintenance}", style="bold yellow"))
    if status.unmoved:
        console.print(Text(f"served by the old service on {status.unmoved} until deploys/migrate_sqlite.py", style="bold yellow"))
    hosts = _table("host", "roles", "serves", "replicas", "since", "disk free", "memory", "deploy lock")
    for host in status.hosts:
        hosts.add_row(*_host(host))
    domains = _table("domain", "health", "certificate")
    for domain in status.domains:
        good = domain.status == 200
        health = Text(f"{domain.status or 'no answer'} {domain.message}".strip(), style="green" if good else "red")
        domains.add_row(domain.domain, health, _left(domain.certificate_days))
    console.print(hosts)
    console.print(domains)
    if status.backup:
        console.print(Text.assemble(("backup: ", "bold"), status.backup))
    if status.last:
        console.print(history_table(status.last))


def _share(item: Serves) -> str:
    return ", share unknown" if item.percent is None else f", {item.percent} %" if item.percent != 100 else ""


def _left(days: float) -> str:
    return "?" if not days else f"{days:.0f} days" if days >= 2 else f"{days * 24:.1f} hours"


def _host(host: HostState) -> list[Any]:
    if host.problem:
        return [host.name, " ".join(host.roles), Text(host.problem, style="red"), "", "", "", "", ""]
    serves = "\n".join(f"{item.version} (generation {item.generation}{_share(item)})" for item in host.serves)
    replicas = Text("\n").join(
        Text(f"{item.healthy} of {item.replicas}", style="green" if item.healthy == item.replicas else "red")
        for item in host.serves
    )
    since = "\n".join(item.since for item in host.serves)
    sizes = [f"{size / 2**30:.1f} GiB" for size in (host.disk_free, host.memory_available)]
    return [host.name, " ".join(host.roles), serves, replicas, since, *sizes, host.lock or "free"]


def history_table(records: Sequence[Record]) -> Table:
    """The newest last, as a log reads."""
    table = _table("began (UTC)", "what", "version", "commit", "by", "took", "failed requests", "ended")
    for record in records:
        probe = record.probe
        ended = Text(record.outcome, style=STYLES.get(record.outcome, ""))
        if record.failure_reason:
            ended.append(f": {record.failure_reason}", style="default")
        if record.serves:
            serves = ", ".join(f"{host} {version}" for host, version in record.serves.items())
            ended.append(f"; then served: {serves}", style="default")
        table.add_row(
            record.started_at.removesuffix("+00:00").replace("T", " "),
            record.kind,
            record.version or record.image[:19],
            record.commit[:12],
            record.deployed_by,
            f"{record.seconds:.0f} s",
            f"{probe['failed']:g} of {probe['sent']:g}" if probe else "",
            ended,
        )
    return table


def print_history(records: Sequence[Record], problems: Sequence[str], console: Console, torn: Sequence[str] = ()) -> None:
    """All records, whether their chain is whole, and which lines of it a power cut has left half written."""
    if records:
        console.print(history_table(records))
    else:
        console.print("nothing was deployed yet")
    for line in torn:
        console.print(Text(f"{line} (power was lost while it was written)", style="yellow"))
    for problem in problems:
        console.print(Text(f"the history is damaged: {problem}", style="bold red"))
    chained = sum(bool(record.run) for record in records)  # restores are told of by the database's host
    if not problems and chained:
        console.print(f"{chained} records; none was altered or taken out of the middle", style="dim")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
