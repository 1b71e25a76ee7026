"""A release over the fleet: host after host in the inventory's order, watched, and rolled back when it fails."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import gevent
from pyinfra import host, inventory, logger, state
from pyinfra.api import Host, QuoteString, State, StringCommand, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError

from facts.containers import Container, Containers
from facts.host_files import AppendedText, HostFile, ManagedFile
from facts.release import Generations
from operations import secrets
from operations.compose import as_desired
from operations.delegate import connected, on
from operations.deployment import DeploymentContext
from operations.edge import Edge
from operations.failed import Failed, refused
from operations.files import differs, show, written
from operations.lock import LockLostError
from operations.rollout import Rollouts
from signupflow import probe
from signupflow.names import every_server, generation_services
from signupflow.release import journal, ledger, resume, watch
from signupflow.release.resume import Generation, Observed, Work
from signupflow.release.spec import APP_LABEL, GENERATION_LABEL, ReleaseSpec, RouteSpec
from signupflow.routing import RouteTable

# Between two checks of the monitoring window; three failed ones in a row roll a release back (SPEC.md).
CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """What one host has to do: rollouts, and secret files that somebody took away from what serves."""

    observed: Observed
    todo: tuple[Work, ...]
    delivering: tuple[PyinfraCommand, ...]

    @property
    def nothing(self) -> bool:
        return not (self.todo or self.delivering)


def observe(target: Host, release: ReleaseSpec, serving: RouteTable) -> Observed:
    """A host as its containers, its files, its journal and the routes show it."""
    found: dict[int, list[Container]] = {}
    for item in target.get_fact(Containers, label=f"{APP_LABEL}={release.app}"):
        found.setdefault(_generation(item), []).append(item)
    current = serving.generation(target.name)
    used: dict[int, str] = target.get_fact(Generations, directory=release.directory)
    entry = journal.last(target.get_fact(AppendedText, path=journal.path(release.app)))
    routed = serving.routed(target.name)
    return Observed(
        target.name,
        routed,
        {
            number: Generation(
                as_desired(items, release.replicas, release.desired, release.image_id),
                all(item.restart == "unless-stopped" for item in items),
            )
            for number, items in found.items()
        },
        tuple(used),
        len(routed) != 1 or serving.urls_of(target.name, current) == tuple(release.urls(current)),
        journal.unfinished(entry, max(routed, default=0)),
        entry.going_back if entry else 0,
    )


def planned(target: Host, release: ReleaseSpec, serving: RouteTable, again: bool = False) -> Plan:
    """What `rollout` would do on a host now."""
    observed = observe(target, release, serving)
    todo = (resume.decide_again if again else resume.decide)(observed, release.rollout)
    delivering: tuple[PyinfraCommand, ...] = ()
    if not todo:
        directory = release.secret_directory(observed.current)
        delivering = tuple(secrets.owned(directory, release.secrets.values, release.secrets.uid))
    return Plan(observed, todo, delivering)


@operation()
def barrier() -> Generator[StringCommand]:
    """Every host gets here before the first rollout: without it, hosts with more steps before would break the order."""
    host.noop("all hosts are here")
    return
    yield  # an operation is a generator


@operation()
def rollout(context: DeploymentContext, release: ReleaseSpec, again: bool = False) -> Generator[PyinfraCommand]:
    """Have this release serve on this host, from a Compose project of its own generation: one state machine, step by step.

    A failure takes this host back to what served before, within this operation. With `again` a host that serves it already
    gets it once more, in new containers.
    """
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    plan = planned(host, release, RouteTable.parse(found.content), again)
    if plan.nothing:
        if state.is_executing:
            context.progress.serving[host.name] = release.version or "?"
            _adopt(context, edge, release)
        host.noop(f"{release.app} generation {plan.observed.current} serves as desired")
        return
    _announce(release, plan.observed.current)
    yield from plan.delivering
    if not plan.todo:
        return
    if state.is_executing:
        target = inventory.get_host(host.name)
        if plan.observed.current:
            context.probe.start(context.asked(release.entries)[0], release.observe_path, release.probe_rate)
            _register(context, target, edge, release, plan.observed.current)
    yield Rollouts(context, edge, release, plan.todo)


@operation()
def rolled_back(context: DeploymentContext, release: ReleaseSpec, keep: bool) -> Generator[PyinfraCommand]:
    """On a host that has switched in this run already, when the run has failed since: the release before serves again."""
    before = context.progress.switched.get(host.name)
    if keep or not context.failures or before is None or context.interrupted:
        host.noop("nothing to roll back")
        return
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    current = RouteTable.parse(found.content).generation(host.name)
    yield Rollouts(context, edge, release, [resume.back(release.rollout, current, before)])


@operation()
def aborted(context: DeploymentContext, release: ReleaseSpec) -> Generator[PyinfraCommand]:
    """Roll an unfinished release back on this host: what was cut off, and what that same run had switched already."""
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    serving = RouteTable.parse(found.content)
    observed = observe(host, release, serving)
    todo = resume.undo(observed, release.rollout)
    entry = _unsettled(release)
    if not todo and entry is not None:
        todo = (resume.back(release.rollout, entry.new, entry.old),)
    if not todo:
        host.noop("no unfinished release")
        return
    yield Rollouts(context, edge, release, todo)


def _register(context: DeploymentContext, target: Host, edge: Host, release: ReleaseSpec, before: int) -> None:
    """Keep how this host goes back, should the run end before any operation can do it."""

    def way_back() -> bool:
        current = Edge(edge, release.route).routes().generation(target.name)
        return Rollouts(context, edge, release, [resume.back(release.rollout, current, before)]).on(target)

    context.progress.ways_back[target.name] = way_back


def _adopt(context: DeploymentContext, edge: Host, release: ReleaseSpec) -> None:
    """Take over what a run that was cut off had switched here: it is watched, recorded, and rolled back with the rest."""
    entry = _unsettled(release)
    if entry is not None:
        context.progress.switched.setdefault(host.name, entry.old)
        context.progress.adopted.add(entry.run)
        _register(context, inventory.get_host(host.name), edge, release, entry.old)


def _unsettled(release: ReleaseSpec) -> journal.Entry | None:
    """The end of this host's last rollout, when what became of its run is not settled for this host.

    Settled is a run that the ledger says was released, or that rolled this host back: one that is recorded as failed or
    interrupted, with this host still on its release, is not. A rollout that went back names no image and is not undone again;
    a first release has nothing before it.
    """
    entry = journal.last(host.get_fact(AppendedText, path=journal.path(release.app)))
    if entry is None or not (entry.switched and entry.image and entry.old):
        return None
    text = connected(inventory.get_host(release.route.edge)).get_fact(AppendedText, path=ledger.FILE)
    return None if ledger.settled(ledger.parse(text), entry.run, host.name) else entry


@operation()
def monitored(context: DeploymentContext, release: ReleaseSpec, seconds: float) -> Generator[PyinfraCommand]:
    """Watch the whole service after the last rollout. A trigger fails the run and not this host: hosts are then rolled back."""
    if not state.is_executing or not context.progress.switched or context.failures or not seconds:
        host.noop("nothing was released")
        return
    # Not a command: watching changes nothing, and a dry run announces nothing of it.
    monitor = ReleaseMonitor(context, inventory.get_host(release.route.edge), release)
    try:
        reason = monitor.reason(seconds)
    except Exception as error:
        reason = f"the monitoring itself failed: {error!r}"
    if reason:
        context.failures.add(f"rolled back in the monitoring window: {reason}")
        logger.error(f"{host.print_prefix}Error: {reason}")
    host.noop("watched")
    yield from ()


class ReleaseMonitor:
    """Asks the public entry and Traefik's counters every few seconds."""

    def __init__(self, context: DeploymentContext, edge: Host, release: ReleaseSpec) -> None:
        self.context, self.edge, self.release = context, Edge(edge, release.route), release

    def reason(self, seconds: float) -> str:
        """Why the release must go back, or an empty string after `seconds`."""
        judged = watch.MonitoringWindow(self.release.error_percent, min(120.0, seconds))
        started = time.monotonic()
        logger.info(f"--> Monitoring for {seconds:g} s")
        while True:
            try:
                self.context.lock.renew()
            except LockLostError as error:
                return str(error)
            elapsed = time.monotonic() - started
            reason = judged.add(self._sample(elapsed)) or self.context.probe.fails(self.release.error_percent)
            if reason or elapsed >= seconds:
                return reason
            gevent.sleep(min(CHECK_SECONDS, seconds / 4))

    def _sample(self, at: float) -> watch.Sample:
        try:
            status, body = probe.ask(self.context.asked(self.release.entries)[0], self.release.observe_path, timeout=10)
        except (OSError, HTTPException):
            status, body = 0, ""
        found = self.edge.counts()
        own, every = generation_services(self.release.app), every_server(self.release.app)
        mine = [name for name in found if name.startswith(own) or name == every]
        return watch.sample(at, status, body, watch.total(found, mine))


@operation()
def finish(context: DeploymentContext) -> Generator[StringCommand]:
    """The end: the record, the lock given back; and this host fails when the run has failed and no host has.

    One failed host makes the exit code; were all to fail, pyinfra would print no results.
    """
    if state.is_executing:
        context.close()
    if not context.failures or state.failed_hosts:
        host.noop("nothing else failed")
        return
    yield StringCommand("echo 'the release failed' >&2; exit 1")


@operation()
def left(release: ReleaseSpec) -> Generator[PyinfraCommand]:
    """Take this host out: first out of the routes, and only when Traefik confirms, its replicas stop."""
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    serving = RouteTable.parse(found.content)
    generations = sorted({_generation(item) for item in host.get_fact(Containers, label=f"{APP_LABEL}={release.app}")})
    routed = host.name in serving.hosts
    if not routed and not generations:
        host.noop(f"{release.app} neither runs here nor is routed here")
        return
    if routed and len(serving.hosts) == 1:
        yield refused(f"{host.name} alone serves {release.app}; release to another host first", fleet=True)
        return
    if routed:
        serving = serving.without(host.name)
        content = release.route.render(serving)
        show(found, release.route.path, content, "0644", "root:root")
        yield from on(edge, written(release.route.path, content, "0644", "root:root"))
    yield Confirmed(edge, release.route, serving)
    labels = f"--filter label={APP_LABEL}={release.app}"
    # With what a run that was killed before its first container left here.
    yield StringCommand(
        f"docker ps -q {labels} | xargs -r docker stop --time {release.stop_seconds} >/dev/null &&",
        f"docker ps -aq {labels} | xargs -r docker rm --force >/dev/null && rm -rf",
        QuoteString(release.directory),
        QuoteString(release.secrets.parent),
        QuoteString(journal.path(release.app)),
    )


@operation()
def only(route: RouteSpec) -> Generator[PyinfraCommand]:
    """On the edge: no route leads to a host that the inventory no longer has, and health checks are as set."""
    found = host.get_fact(ManagedFile, path=route.path)
    serving = RouteTable.parse(found.content)
    if not set(serving.hosts) & set(route.hosts):
        host.noop("nothing that stays is released yet")
        return
    serving = serving.only(route.hosts)
    content = route.render(serving)
    if not differs(found, content, "0644", "root:root"):
        host.noop(f"routes of {route.app} are as desired")
        return
    show(found, route.path, content, "0644", "root:root")
    yield from written(route.path, content, "0644", "root:root")
    yield Confirmed(inventory.get_host(host.name), route, serving)


class Confirmed(PyinfraCommand):
    """Waits until Traefik serves exactly what the routes say."""

    def __init__(self, edge: Host, route: RouteSpec, serving: RouteTable) -> None:
        super().__init__()
        self.edge, self.route, self.serving = edge, route, serving

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        Edge(connected(self.edge), self.route).confirm(self.serving)
        return True


def _edge(route: RouteSpec) -> tuple[Host, HostFile | None]:
    """The edge host and its file of servers; None when the edge cannot be reached."""
    edge = inventory.get_host(route.edge)
    try:
        return edge, connected(edge).get_fact(ManagedFile, path=route.path)
    except ConnectError:
        return edge, None


def _unreachable(route: RouteSpec) -> Failed:
    return refused(f"{route.edge}, which holds the routes, is unreachable; nothing was changed here")


def _generation(item: Container) -> int:
    return int(item.labels.get(GENERATION_LABEL, "0"))


def _announce(release: ReleaseSpec, current: int) -> None:
    """Print what differs from the generation that serves, when pyinfra runs with --diff."""
    for name, text in release.files.items():
        before = host.get_fact(ManagedFile, path=f"{release.project(current)}/{name}")
        if differs(before, text, "0644", "root:root"):
            show(before, f"{release.directory}/{name}", text, "0644", "root:root")
    secrets.show(release.secret_directory(current), release.secrets.values, release.secrets.uid)
