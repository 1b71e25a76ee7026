"""What `status.py` and `history.py` ask the hosts, and print once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from ssl import SSLError

import gevent
from gevent.lock import RLock
from pyinfra import host, inventory
from pyinfra.api import Host
from rich.console import Console

from deploys.app import serving, unmoved
from deploys.environment import entries, environment, fleet, holding, refuse
from deploys.maintenance_page import page_path
from facts.containers import Container, Containers
from facts.database import SchemaRevision
from facts.host_files import AppendedText, ManagedFile
from facts.release import HeldLock, Readiness
from operations.delegate import connectable
from signupflow import probe, status_report
from signupflow.images import VERSION_LABEL
from signupflow.probe import Entry
from signupflow.release import agreement, ledger, restores, served
from signupflow.release.spec import APP_LABEL, GENERATION_LABEL
from signupflow.routing import RouteTable
from signupflow.shared import humanize as backup_words
from signupflow.shared.places import BACKUP_STATE

# Only the newest fit on a screen.
SHOWN = 5
# Columns where there is no terminal to ask.
WIDTH = 160
# JSON in the place of tables; set by `signupflow status --json`.
AS_JSON = "SIGNUPFLOW_JSON"


def show_history() -> None:
    """Once, though pyinfra runs a deploy's file for each host."""
    with _once() as first:
        if first:
            _show_history()


def show_status() -> None:
    """Once. What can be known is shown when a host is down, and the exit code says that it is not all."""
    with _once() as first:
        if first:
            _show_status()


def show_lock() -> None:
    """Once: who may change each host now."""
    with _once() as first:
        if first:
            _show_lock()


@contextmanager
def _once() -> Iterator[bool]:
    """Whichever host comes here first, for any may be down; the others wait, so that pyinfra does not end before it is shown."""
    with _showing:
        first = not _shown
        _shown.append(host.name)
        yield first


_showing = RLock()
_shown: list[str] = []


def _show_history() -> None:
    text = holding("edge").get_fact(AppendedText, path=ledger.FILE)
    records = [record for record in ledger.parse(text) if record.app == environment().app_name]
    problems, torn = ledger.problems(text), ledger.torn(text)
    database = inventory.get_host(fleet().host_with_role("db").name)
    if connectable(database):
        kept = database.get_fact(AppendedText, path=f"{BACKUP_STATE}/{restores.FILE}")
        records = restores.among(records, restores.parse(kept, environment().app_name, database.name))
    if os.environ.get(AS_JSON):
        print("\n".join(record.as_json() for record in records))
    else:
        status_report.print_history(records, problems, _console(), torn)
    if problems:
        refuse(f"the history is damaged: {problems[0]}")
    if away := [item.name for item in inventory if not connectable(item)]:
        refuse(f"{', '.join(away)} is unreachable; what the history says is complete all the same")


def _show_status() -> None:
    found = _status()
    if os.environ.get(AS_JSON):
        print(found.as_json())
    else:
        status_report.print_status(found, _console())
    if away := [f"{state.name} {state.problem}" for state in found.hosts if state.problem]:
        refuse(f"{'; '.join(away)}: the rest is shown")
    if found.split and not found.at_work:
        refuse(f"{found.split}. {agreement.ways_out()}")


def _show_lock() -> None:
    away = []
    for item in inventory:
        if not connectable(item):
            away.append(item.name)
            continue
        held = item.get_fact(HeldLock)
        print(f"{item.name}: {held.said if held is not None and held.left > 0 else 'free'}")
    if away:
        refuse(f"{', '.join(away)} cannot be reached: who holds the lock there is not known")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def _edge() -> Host:
    return inventory.get_host(fleet().host_with_role("edge").name)


def _status() -> status_report.Status:
    env, edge = environment(), _edge()
    # Without the edge it is not known what gets traffic, nor what was deployed; all else is.
    routes = serving() if connectable(edge) else None
    jobs = {item.name: gevent.spawn(_host, item, routes, env.app_name) for item in inventory}
    asked = [gevent.spawn(_domain, entry, env.health_path) for entry in entries(env)]
    gevent.joinall(list(jobs.values()))
    gevent.joinall(asked)
    database = inventory.get_host(fleet().host_with_role("db").name)
    text = edge.get_fact(AppendedText, path=ledger.FILE) if routes is not None else ""
    records = [record for record in ledger.parse(text) if record.app == env.app_name]
    page = edge.get_fact(ManagedFile, path=page_path(env.app_name)).content if routes is not None else ""
    return status_report.Status(
        env.environment,
        env.app_name,
        tuple(job.value or _unknown(name, job.exception) for name, job in jobs.items()),
        tuple(job.get() for job in asked),
        (database.get_fact(SchemaRevision, database=env.postgres_database) or "?") if connectable(database) else "?",
        (page or "").partition("\n")[0].removeprefix("# "),
        tuple(records[-SHOWN:]),
        _backup(database) if env.backed_up else "",
        env.legacy_sqlite_file if connectable(database) and unmoved() else "",
    )


def _unknown(name: str, error: BaseException | None) -> status_report.HostState:
    """A host that was lost while it was asked."""
    return status_report.HostState(name, tuple(sorted(fleet().member(name).roles)), problem=f"did not answer: {error}")


def _backup(database: Host) -> str:
    """How old the last good backup is, and what holds alerts."""
    if not connectable(database):
        return "?"
    good, active = (
        database.get_fact(ManagedFile, path=f"{BACKUP_STATE}/{name}").content for name in ("backup-good.json", "alerts.json")
    )
    return backup_words.last_backup(good or "", active or "", time.time())


def _host(target: Host, routes: RouteTable | None, app: str) -> status_report.HostState:
    roles = tuple(sorted(fleet().member(target.name).roles))
    if not connectable(target):
        return status_report.HostState(target.name, roles, problem="is unreachable")
    found: dict[str, list[Container]] = {}
    for item in target.get_fact(Containers, label=f"{APP_LABEL}={app}"):
        found.setdefault(item.labels.get(GENERATION_LABEL, "0"), []).append(item)
    weights = {item.generation: item.weight for item in routes.hosts.get(target.name, ())} if routes else {}
    ready, held = target.get_fact(Readiness), target.get_fact(HeldLock)
    return status_report.HostState(
        target.name,
        roles,
        tuple(
            _serves(int(number), items, weights.get(int(number), 0 if routes else None))
            for number, items in sorted(found.items())
        ),
        ready.disk_free,
        ready.memory_available,
        held.said if held is not None and held.left > 0 else "",
    )


def _serves(number: int, items: list[Container], percent: int | None) -> status_report.Serves:
    return status_report.Serves(
        number,
        items[0].labels.get(VERSION_LABEL, "?"),
        percent,
        len(items),
        sum(item.sound for item in items),
        min(item.started for item in items)[:16].replace("T", " "),
        served.identity(items[0].reference),
    )


def _domain(entry: Entry, path: str) -> status_report.DomainState:
    try:
        days = entry.certificate_seconds() / 86400
        status, _ = probe.ask(entry, path)
        return status_report.DomainState(entry.domain, status, "", days)
    except SSLError as error:
        return status_report.DomainState(entry.domain, 0, f"certificate: {error.reason or error}", 0)
    except (OSError, HTTPException) as error:
        return status_report.DomainState(entry.domain, 0, str(error), 0)
