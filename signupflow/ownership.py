"""Whose a host is: the environment and the app that it works for, and which host holds their database. Judged here.

The first change of a deploy writes it to every host (`PATH`). Hosts that were deployed before there was such a file are known
by what is on them. A second tenant would take the first one's routes, its pg_hba.conf and its archive; a database that is
looked for on a host that has none would begin empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from signupflow.shared.places import POSTGRES_DATA

PATH = "/var/lib/signupflow/owner.json"
CLUSTER = f"{POSTGRES_DATA}/cluster"
RECOVER = "deploys/disaster_recovery.py"


@dataclass(frozen=True)
class Owner:
    """`database` is PostgreSQL's name of it, `database_host` the host that holds it. `moves` counts how often that changed on
    purpose: of two hosts that disagree, the higher count is the later word. `host` is this host's own name.
    """

    environment: str
    app: str
    database: str
    database_host: str
    host: str
    moves: int = 0

    def text(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def parse(cls, text: str | None) -> Owner | None:
        """What a file says; None where there is none, or none that can be read."""
        try:
            return cls(**json.loads(text or ""))
        except (ValueError, TypeError):
            return None

    @property
    def tenant(self) -> str:
        return f"{self.app} of {self.environment}"


@dataclass(frozen=True)
class Seen:
    """What is on one host. `apps` are those whose containers or files are there, `environments` and `databases` those that its
    files name, `served` whether a generation of an app is there, `cluster` whether PostgreSQL's data is.
    """

    owner: Owner | None = None
    apps: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    databases: frozenset[str] = frozenset()
    served: bool = False
    cluster: bool = False


@dataclass(frozen=True)
class Wanted:
    """What this inventory says. `uses_database`: whether the app does."""

    environment: str
    app: str
    database: str
    database_host: str
    uses_database: bool = True

    @property
    def tenant(self) -> str:
        return f"{self.app} of {self.environment}"


def refusals(wanted: Wanted, hosts: Mapping[str, Seen], recovering: bool = False) -> list[str]:
    """Why a run must not touch these hosts, each in a line. `recovering` is a run that restores the database on purpose."""
    foreign = [line for name, seen in hosts.items() for line in _foreign(wanted, name, seen)]
    return foreign or [*_renamed(wanted, hosts), *_left_behind(wanted, hosts, recovering)]


def _foreign(wanted: Wanted, name: str, seen: Seen) -> Iterator[str]:
    if seen.owner:
        if seen.owner.tenant != wanted.tenant:
            yield (
                f"{name} belongs to {seen.owner.tenant} ({PATH} there says so), and this inventory deploys {wanted.tenant}: "
                "give that hosts of its own, or name what the host has"
            )
        return
    others = sorted(seen.apps - {wanted.app})
    if others:
        yield f"{name} runs {', '.join(others)} already, and this inventory deploys {wanted.app}: give that hosts of its own"
    environments = sorted(seen.environments - {wanted.environment})
    if environments:
        yield (
            f"{name} belongs to the environment {', '.join(environments)}, and this inventory is of {wanted.environment}: "
            "give that hosts of its own"
        )


def _renamed(wanted: Wanted, hosts: Mapping[str, Seen]) -> Iterator[str]:
    """Another name of the database, on a host that holds one."""
    held = hosts.get(wanted.database_host)
    if held is None or not held.cluster:
        return
    names = {held.owner.database} if held.owner else set(held.databases)
    if names and wanted.database not in names:
        known = ", ".join(sorted(names))
        yield (
            f"postgres_database is {wanted.database}, and {wanted.database_host} holds {known}: the app would begin with an "
            f"empty database; set postgres_database = {sorted(names)[0]!r} again"
        )


def _left_behind(wanted: Wanted, hosts: Mapping[str, Seen], recovering: bool) -> Iterator[str]:
    """The database's role on a host where its data is not."""
    target = wanted.database_host
    here = hosts.get(target)
    if here is None or not wanted.uses_database:
        return
    record = latest(hosts)
    recorded = record.database_host if record else ""
    moved = bool(recorded) and recorded not in _names_of(target, hosts)
    if here.cluster:
        if moved:
            yield (
                f"the database is on {recorded}, and {target} holds an older copy in {CLUSTER}: "
                + (f"rename that directory there, then run {RECOVER} again" if recovering else _way(target, recorded))
            )
        return
    elsewhere = sorted(name for name, seen in hosts.items() if seen.cluster)
    if recovering:
        return
    if elsewhere:
        yield f"the database is on {', '.join(elsewhere)}, and {target} holds none: {_way(target, elsewhere[0])}"
    elif any(seen.served for seen in hosts.values()):
        if moved:
            yield f"the database is on {recorded}, and {target} holds none: {_way(target, recorded)}"
        else:
            yield f"the app has served already, and {target} holds no database: restore it there with {RECOVER}, from its backups"


def _way(target: str, back: str) -> str:
    return f'set db = ["{back}"] again; to move the data to {target}, restore it there with {RECOVER}, from its backups'


def latest(hosts: Mapping[str, Seen]) -> Owner | None:
    """The last word on where the database is."""
    records = [seen.owner for seen in hosts.values() if seen.owner]
    return max(records, key=lambda owner: owner.moves, default=None)


def owner(wanted: Wanted, name: str, hosts: Mapping[str, Seen]) -> Owner:
    """What a deploy writes to a host: the same in every run, until the database moves on purpose."""
    record = latest(hosts)
    moved = record is not None and record.database_host not in _names_of(wanted.database_host, hosts)
    moves = record.moves + moved if record else 0
    return Owner(wanted.environment, wanted.app, wanted.database, wanted.database_host, name, moves)


def _names_of(name: str, hosts: Mapping[str, Seen]) -> set[str]:
    """A host's name, and the one under which it was deployed last: an inventory may call it otherwise now."""
    seen = hosts.get(name)
    return {name, seen.owner.host} if seen and seen.owner else {name}
