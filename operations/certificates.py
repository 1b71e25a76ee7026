"""Certificates of domains that are new to an edge which serves: waited for, and said of each that does not come why."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator, Sequence

import gevent
from pyinfra import host, logger, state
from pyinfra.api import StringCommand, operation

from operations.deployment import DeploymentContext
from operations.lock import LockLostError
from operations.remote import ScriptError, run
from signupflow.probe import Entry
from signupflow.release import certificates

# A CA that finds the name and the port takes seconds; one that does not says so within a minute.
WAIT_SECONDS = 60.0
LOG = f"docker logs --since 15m signupflow-traefik 2>&1 | grep '{certificates.FAILED}' | tail -n 50 || true"


@operation()
def certified(context: DeploymentContext, entries: Sequence[Entry], seconds: float = WAIT_SECONDS) -> Generator[StringCommand]:
    """On the edge, after its routes are written: `entries` are those of domains without a certificate so far.

    What does not come is told and fails nothing: the other domains serve, and the CA may need somebody to make a DNS record.
    """
    waiting = list(entries)
    if not state.is_executing or not waiting:
        for entry in waiting:
            logger.info(f"{host.print_prefix}asks the CA for a certificate of {entry.domain}")
        host.noop("certificates are the CA's to give")
        return
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
    log = _log() if waiting else ""
    for entry in waiting:
        said = certificates.missing(entry.domain, entry.address, _leads_to(entry.domain), certificates.problem(log, entry.domain))
        logger.error(f"{host.print_prefix}{said}")
    host.noop("every domain has its certificate")
    yield from ()


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


def _leads_to(domain: str) -> list[str]:
    """IPv4 addresses, as this machine resolves the name."""
    try:
        return sorted({str(row[4][0]) for row in socket.getaddrinfo(domain, None, socket.AF_INET, socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        return []
