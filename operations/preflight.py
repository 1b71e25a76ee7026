"""Before anything changes anywhere: is every host there and ready, is nobody else at work, and the deploy lock for this run."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from ssl import SSLError

from pyinfra import host, inventory, logger, state
from pyinfra.api import Host, StringCommand, operation
from pyinfra.api.exceptions import ConnectError

from facts.containers import ImageId
from facts.release import Connections, HeldLock, Readiness
from facts.system import HostSystem, LoginUser, Removals, SshAccess, SshdAsWanted
from operations import patches
from operations.delegate import connected
from operations.deployment import DeploymentContext
from operations.failed import Failed, refused
from operations.guard import Guard
from operations.hooks import called
from operations.lock import ended
from operations.remote import ScriptError
from operations.system import login_problem
from signupflow import advice, probe
from signupflow.hosts import packages, sshd
from signupflow.hosts import readiness as hosts
from signupflow.probe import Entry
from signupflow.release import lock, readiness


@dataclass(frozen=True)
class SystemChecks:
    """What a deploy that changes the host asks of it. `drop_in` are sshd's settings, `deploy_user` is who may log in then."""

    wants: hosts.Wants
    drop_in: str
    deploy_user: str
    keys: tuple[str, ...] = ()
    notes: bool = False


@dataclass(frozen=True)
class Checks:
    """What one host is asked. `system` is None for what leaves the host's own system as it is. `image` is the release's image as
    hosts name it, with its size; `connections` is what a second generation on the largest app host may open; `entries` are asked
    on the edge, and only when something serves already.
    """

    image: str
    needs: readiness.Needs
    connections: int = 0
    database: bool = False
    entries: tuple[Entry, ...] = ()
    health_path: str = ""
    lifetime_seconds: float = 0
    allow_unhealthy: bool = False
    system: SystemChecks | None = None


@operation()
def ready(context: DeploymentContext, checks: Checks) -> Generator[Failed]:
    """Fail with everything this host lacks for a release, each in a line. Changes nothing."""
    problems = list(_problems(context, checks))
    if not problems:
        host.noop("ready")
        return
    for problem in problems:
        logger.warning(f"{host.print_prefix}not ready: {problem}")
    yield refused(f"{host.name} is not ready: {problems[0]}", fleet=True)


def _problems(context: DeploymentContext, checks: Checks) -> Iterator[str]:
    present = bool(host.get_fact(ImageId, reference=checks.image))
    needs = readiness.Needs(0, checks.needs.new_replicas, checks.needs.replica_memory) if present else checks.needs
    yield from readiness.host_problems(host.get_fact(Readiness), needs, time.time())
    if checks.database:
        found = host.get_fact(Connections)
        # A bare host has no server to ask; the run brings one.
        if found is None or found.maximum:
            yield from readiness.database_problems(found, checks.connections)
    held = host.get_fact(HeldLock)
    if held is not None and held.left > 0 and not ended(held) and held.run != context.identity.id:
        release = advice.command("lock release")
        yield f"deploy lock: held by {held.said}: wait until it ends, or `{release}` if its machine is gone"
    for entry in checks.entries:
        yield from _public(entry, checks)
    if checks.system:
        yield from _system(checks.system)


def _system(checks: SystemChecks) -> Iterator[str]:
    """What would fail after the first change, or take from somebody what is theirs."""
    system = host.get_fact(HostSystem)
    if not system.machine:
        return  # nothing is known, which is said elsewhere
    yield from hosts.problems(system, checks.wants)
    wanted = hosts.wanted_packages(system)
    if wanted and (gone := host.get_fact(Removals, packages=wanted)):
        yield f"packages: {packages.removal_problem(wanted, gone)}"
    yield from sshd.problems(host.get_fact(SshdAsWanted, drop_in=checks.drop_in, user=checks.deploy_user), checks.drop_in)
    login = host.get_fact(SshAccess).login
    if checks.drop_in and login not in ("", checks.deploy_user) and not host.name.startswith("@"):
        yield (
            f"login: this run comes in as {login}, and lets only {checks.deploy_user} in: bootstrap the host, and log in as "
            f"{checks.deploy_user} (ssh_user in the inventory, or User in ~/.ssh/config)"
        )
    if problem := login_problem(checks.deploy_user, host.get_fact(LoginUser, user=checks.deploy_user), checks.keys):
        yield f"login: {problem}"
    if checks.notes:
        for note in hosts.notes(system, checks.wants):
            logger.info(f"{host.print_prefix}{note}")
    elif not state.is_executing:
        for note in hosts.warnings(system, checks.wants):
            logger.warning(f"{host.print_prefix}{note}")


def _public(entry: Entry, checks: Checks) -> Iterator[str]:
    """The certificate and the health of what serves now, as the public entry shows them."""
    try:
        left = entry.certificate_seconds()
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
def locked(context: DeploymentContext, hosts: Collection[str], reason: str, hook: str = "") -> Generator[Failed]:
    """The deploy lock on all `hosts`, in their order, for the time of this run. It leaves no trace, so it is no change.

    One host's step takes it for all. When it is refused, or `hook` (run here, while it is held) fails, all is released and the
    run ends here.
    """
    if not state.is_executing:
        host.noop("the deploy lock is taken while a run lasts")
        return
    try:
        holder = context.acquire([connected(inventory.get_host(name)) for name in hosts], reason)
    except (ConnectError, ScriptError) as error:
        context.lock.release()
        yield refused(f"the deploy lock cannot be taken: {error}", fleet=True)
        return
    if holder:
        yield refused(f"another deployment is at work: {holder}", fleet=True)
        return
    if hook and (problem := called("before", hook, context.variables())):
        context.lock.release()
        yield refused(f"{problem}; nothing was changed", fleet=True)
        return
    host.noop("locked")


@operation()
def everybody(context: DeploymentContext, what: str) -> Generator[Failed]:
    """Go on only when no host has failed: what follows is for all or for none."""
    if not patches.applied():
        yield refused("config.py was not read: run pyinfra in the repository's root, without --config", fleet=True)
        return
    Guard(context).attach(state)
    failed = sorted(item.name for item in state.failed_hosts)
    if not failed:
        host.noop(what)
        return
    if not context.failures.said:
        context.failures.add(
            f"{', '.join(failed)} {'is' if len(failed) == 1 else 'are'} unreachable or not ready. Fix it, or deploy to the rest: "
            + " ".join(f"--limit {item.name}" for item in inventory if item.name not in failed)
        )
    if state.is_executing:
        context.close()
    yield refused(f"stopped, because of {', '.join(failed)}")


@operation()
def probed(context: DeploymentContext, entry: Entry, path: str, rate: float) -> Generator[StringCommand]:
    """From here to the end of the run the public entry is asked steadily, and what failed is counted."""
    if state.is_executing:
        context.probe.start(entry, path, rate)
    host.noop("checking from here on")
    return
    yield  # an operation is a generator


@operation()
def worked(context: DeploymentContext) -> Generator[StringCommand]:
    """Have this run recorded, though it released nothing."""
    if state.is_executing:
        context.recorder.always = True
    host.noop("this run is recorded")
    return
    yield  # an operation is a generator


@operation()
def unlocked() -> Generator[StringCommand]:
    """Take away whatever deploy lock this host has."""
    held = host.get_fact(HeldLock)
    if held is None:
        host.noop("no deploy lock")
        return
    logger.warning(f"{host.print_prefix}takes away the deploy lock of {held.said}")
    yield StringCommand("sh -s", _stdin=lock.return_script(""))


def present(names: Collection[str]) -> list[Host]:
    """Those hosts of the inventory that this run works on."""
    return [item for item in inventory if item.name in names and item in state.activated_hosts]
