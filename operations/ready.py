"""Before anything changes anywhere: is every host there and ready, is nobody else at work, and the lease for this run."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from ssl import SSLError, cert_time_to_seconds

from pyinfra import host, inventory, logger, state
from pyinfra.api import Host, QuoteString, StringCommand, operation
from pyinfra.api.exceptions import ConnectError

from facts.containers import ImageId
from facts.release import Connections, HeldLease, Readiness
from operations import refusals
from operations import run as runs
from operations.elsewhere import connected
from operations.hooks import called
from operations.remote import ScriptError
from signupflow import probe
from signupflow.probe import Entry
from signupflow.release import lease, readiness


@dataclass(frozen=True)
class Checks:
    """What one host is asked. `image` is the release's image as hosts name it, with its size; `connections` is what a second
    generation on the largest app host may open; `entries` are asked on the edge, and only when something serves already.
    """

    image: str
    needs: readiness.Needs
    connections: int = 0
    database: bool = False
    entries: tuple[Entry, ...] = ()
    health_path: str = ""
    lifetime_seconds: float = 0
    allow_unhealthy: bool = False


@operation()
def ready(checks: Checks) -> Iterator[StringCommand]:
    """Fail with everything this host lacks for a release, each in a line. Changes nothing."""
    problems = list(_problems(checks))
    if not problems:
        host.noop("ready")
        return
    for problem in problems:
        logger.warning(f"{host.print_prefix}not ready: {problem}")
    refusals.note("; ".join(problems))
    if state.is_executing:  # what a plan saw may be over when the run begins
        runs.current().fail(f"{host.name} is not ready: {problems[0]}")
    yield StringCommand("echo", QuoteString("; ".join(problems)), ">&2; exit 1")


def _problems(checks: Checks) -> Iterator[str]:
    present = bool(host.get_fact(ImageId, reference=checks.image))
    needs = readiness.Needs(0, checks.needs.new_replicas, checks.needs.replica_memory) if present else checks.needs
    yield from readiness.host_problems(host.get_fact(Readiness), needs, time.time())
    if checks.database:
        found = host.get_fact(Connections)
        # A bare host has no server to ask; the run brings one.
        if found is None or found.maximum:
            yield from readiness.database_problems(found, checks.connections)
    held = host.get_fact(HeldLease)
    if held is not None and held.left > 0 and not runs.ended(held.process) and held.run != runs.current().identity:
        yield f"lease: held by {held.said}: wait until it ends (deploys/unlock.py only when its machine is gone for good)"
    for entry in checks.entries:
        yield from _public(entry, checks)


def _public(entry: Entry, checks: Checks) -> Iterator[str]:
    """The certificate and the health of what serves now, as the public entry shows them."""
    try:
        connection = entry.connect(timeout=10)
        certificate = connection.sock.getpeercert()
        connection.close()
        left = cert_time_to_seconds(certificate["notAfter"]) - time.time()
        yield from readiness.certificate_problems(entry.domain, left, checks.lifetime_seconds)
    except SSLError as error:
        yield f"certificate: {entry.domain}: {error.reason or error}"
        return
    except OSError as error:
        yield f"public entry: {entry.domain} at {entry.address} does not answer from here: {error}"
        return
    if checks.allow_unhealthy:
        return
    try:
        status, body = probe.ask(entry, checks.health_path)
    except (OSError, HTTPException) as error:
        status, body = 0, str(error)
    yield from readiness.health_problems(status, " ".join(body.split())[:300])


@operation()
def leased(hosts: Collection[str], reason: str, seconds: int, hook: str = "") -> Iterator[StringCommand]:
    """The lease on all `hosts`, in their order, for the time of this run. It leaves no trace, so it is no change.

    One host's step takes it for all. When it is refused, or `hook` (run here, with the lease held) fails, everything taken is
    given back and the run ends here.
    """
    if not state.is_executing:
        host.noop("the lease is taken while a run lasts")
        return
    try:
        refused = runs.current().acquire([connected(inventory.get_host(name)) for name in hosts], reason, seconds)
    except (ConnectError, ScriptError) as error:
        runs.current().give_back()
        yield _refusal(f"the lease cannot be taken: {error}")
        return
    if refused is not None:
        yield _refusal(f"another deployment is at work: {refused.said}")
        return
    if hook and (problem := called("before", hook, runs.current().variables())):
        runs.current().give_back()
        yield _refusal(f"{problem}; nothing was changed")
        return
    host.noop("leased")


def _refusal(why: str) -> StringCommand:
    runs.current().fail(why)
    return StringCommand("echo", QuoteString(why), ">&2; exit 1")


@operation()
def everybody(what: str) -> Iterator[StringCommand]:
    """Go on only when no host has failed: what follows is for all or for none."""
    if state.is_executing and not any(isinstance(handler, runs.AtEnd) for handler in state.callback_handlers):
        state.add_callback_handler(runs.AtEnd())
    failed = sorted(item.name for item in state.failed_hosts)
    if not failed:
        host.noop(what)
        return
    run_ = runs.current()
    if not run_.failures:
        run_.fail(f"{', '.join(failed)} cannot be reached or is not ready; leave it out with --limit, or mend it")
    if state.is_executing:
        run_.close()
    yield StringCommand("echo", QuoteString(f"stopped, because of {', '.join(failed)}"), ">&2; exit 1")


@operation()
def probed(entry: Entry, path: str, rate: float) -> Iterator[StringCommand]:
    """From here to the end of the run the public entry is asked steadily, and what failed is counted."""
    if state.is_executing:
        runs.current().start_probe(entry, path, rate)
    host.noop("asked from here on")
    return
    yield  # an operation is a generator


@operation()
def worked() -> Iterator[StringCommand]:
    """Have this run recorded, though it released nothing."""
    if state.is_executing:
        runs.current().worked = True
    host.noop("this run is recorded")
    return
    yield  # an operation is a generator


@operation()
def unlocked() -> Iterator[StringCommand]:
    """Take away whatever lease this host has."""
    held = host.get_fact(HeldLease)
    if held is None:
        host.noop("no lease")
        return
    logger.warning(f"{host.print_prefix}takes away the lease of {held.said}")
    yield StringCommand("sh -s", _stdin=lease.return_script(""))


def present(names: Collection[str]) -> list[Host]:
    """Those hosts of the inventory that this run works on."""
    return [item for item in inventory if item.name in names and item in state.activated_hosts]
