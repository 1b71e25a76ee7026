"""Certificates of domains that are new to an edge which serves: waited for, and said of each that does not come why."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass

import gevent
from pyinfra import host, logger, state
from pyinfra.api import StringCommand, operation

from operations.app_host import file_script
from operations.deployment import DeploymentContext
from operations.lock import LockLostError
from operations.remote import ScriptError, run
from signupflow.probe import Entry
from signupflow.release import certificates

# A CA that finds the name and the port takes seconds; one that does not says so within a minute.
WAIT_SECONDS = 60.0
LOG = f"docker logs --since 15m signupflow-traefik 2>&1 | grep '{certificates.FAILED}' | tail -n 50 || true"


@dataclass(frozen=True)
class Ordering:
    """The app's routers on the edge. `settled` are the domains that have a certificate; `entries` are those that have none and
    lead somewhere, `nowhere` those that have none and lead nowhere: for these the CA is not asked at all.
    """

    path: str
    routers: Callable[[Collection[str]], str]
    settled: frozenset[str]
    entries: tuple[Entry, ...]
    nowhere: tuple[Entry, ...] = ()


@operation()
def certified(context: DeploymentContext, ordering: Ordering, seconds: float = WAIT_SECONDS) -> Generator[StringCommand]:
    """On the edge, after its routes are written: ask the CA once for each certificate that is missing, and wait for it.

    What does not come is told and fails nothing: the other domains serve, and the CA may need somebody to make a DNS record. Its
    order is taken back, because Traefik would place it again at each change of routes: the next deploy does.
    """
    waiting, context.uncertified = list(ordering.entries), {entry.domain for entry in ordering.nowhere}
    if not state.is_executing:
        for entry in waiting:
            logger.info(f"{host.print_prefix}asks the CA for a certificate of {entry.domain}")
    elif waiting:
        wanted = ordering.settled | {entry.domain for entry in waiting}
        _write(ordering, wanted)
        waiting = _waited(context, waiting, seconds)
        context.uncertified |= {entry.domain for entry in waiting}
        log = _log() if waiting else ""
        for entry in waiting:
            problem = certificates.problem(log, entry.domain)
            logger.error(
                f"{host.print_prefix}{certificates.missing(entry.domain, entry.address, leads_to(entry.domain), problem)}"
            )
        if waiting:
            _write(ordering, wanted - context.uncertified)
    for entry in ordering.nowhere:
        logger.error(f"{host.print_prefix}{certificates.missing(entry.domain, entry.address, (), ('', ''))}")
    host.noop("certificates are the CA's to give")
    yield from ()


def _write(ordering: Ordering, domains: Collection[str]) -> None:
    run(host, "set -e\n" + file_script(ordering.path, ordering.routers(domains), "0644", 0))


def _waited(context: DeploymentContext, waiting: list[Entry], seconds: float) -> list[Entry]:
    """Those that have no certificate at the end."""
    deadline = time.monotonic() + seconds
    while waiting := [entry for entry in waiting if not _holds(entry)]:
        if time.monotonic() >= deadline:
            break
        try:
            context.lock.renew()
        except LockLostError as error:  # somebody else's run is at work by now
            context.failures.add(str(error))
            break
        gevent.sleep(1)
    return waiting


def _holds(entry: Entry) -> bool:
    try:
        entry.connect(timeout=5).close()
    except OSError:
        return False
    return True


def _log() -> str:
    try:
        return run(host, LOG)
    except ScriptError:
        return ""


@functools.cache
def leads_to(domain: str) -> list[str]:
    """IPv4 addresses, as this machine resolves the name."""
    try:
        return sorted({str(row[4][0]) for row in socket.getaddrinfo(domain, None, socket.AF_INET, socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        return []
