"""A release over the fleet: host after host in the inventory's order, watched, and taken back when it fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
from operations import run as runs
from operations import secrets
from operations.compose import as_desired
from operations.elsewhere import connected, on
from operations.files import differs, show, written
from operations.remote import ScriptError, run
from operations.replicas import StepFailedError
from operations.turn import TRAEFIK, Turns, confirm
from signupflow import fleet, probe
from signupflow.probe import Entry
from signupflow.release import journal, ledger, resume, watch
from signupflow.release.resume import Generation, Observed, Work
from signupflow.release.turn import Turn
from signupflow.render import config_hash
from signupflow.routing import Serving, replica_names

APP_LABEL = "org.signupflow.app"
GENERATION_LABEL = "org.signupflow.generation"
# Between two checks of the observation; three failed ones in a row take a release back (SPEC.md).
CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class SecretFiles:
    """Secrets of a release: a directory for each generation under `parent`, so that a failed one leaves the others' alone."""

    parent: str
    values: Mapping[str, str] = field(repr=False)
    uid: int


@dataclass(frozen=True)
class Route:
    """Where an app's servers are written down and how they are asked: a file on the edge host, watched by Traefik.

    `hosts` are the app hosts of the inventory; whatever else the file names is gone.
    """

    app: str
    edge: str
    path: str
    ready_path: str
    domain: str
    hosts: tuple[str, ...]

    def render(self, serving: Serving) -> str:
        return serving.render(self.app, self.ready_path, self.domain)


@dataclass(frozen=True)
class Release:
    """What one app host should run, and how it gets there. Sizes and times are in the units their names say.

    `files` are relative names to texts and include compose.yaml. `address` and `first_port` are where
    replicas are published; an empty `address` means that Traefik reaches them by name on this host.
    """

    route: Route
    directory: str
    files: Mapping[str, str]
    image_id: str
    repository: str
    version: str
    older_revisions: tuple[str, ...]
    secrets: SecretFiles
    secret_digests: Mapping[str, str]
    replicas: int
    address: str
    first_port: int
    port: int
    health_path: str
    start_seconds: int
    stop_seconds: int
    drained_signal: str
    check_command: tuple[str, ...]
    error_percent: float
    keep: int
    entries: tuple[Entry, ...]
    observe_path: str
    probe_rate: float
    fresh: Turn

    app_label = APP_LABEL
    generation_label = GENERATION_LABEL

    @property
    def app(self) -> str:
        return self.route.app

    @property
    def desired(self) -> str:
        reached = {"port": f"{self.port}"} | ({"ports": f"{self.first_port}"} if self.address else {})
        return config_hash({**self.files, **reached}, {"app": self.image_id}, self.secret_digests)

    def ports(self, generation: int) -> range:
        return fleet.ports(self.first_port, generation, self.replicas)

    def urls(self, generation: int) -> list[str]:
        """Servers of a generation as the edge reaches them; no two successive generations share one."""
        if self.address:
            return [f"http://{self.address}:{port}" for port in self.ports(generation)]
        return [f"http://{name}:{self.port}" for name in replica_names(self.app, generation, self.replicas)]

    def project(self, generation: int) -> str:
        """Directory of a generation's Compose project."""
        return f"{self.directory}/g{generation}"

    def secret_directory(self, generation: int) -> str:
        return f"{self.secrets.parent}/g{generation}"

    def environment(self, generation: int) -> str:
        """The project's .env."""
        ports = self.ports(generation)
        text = (
            "# Read by `docker compose`; written by deploys/app.\n"
            f"COMPOSE_PROJECT_NAME={self.app}-g{generation}\n"
            f"SIGNUPFLOW_GENERATION={generation}\n"
            f"SIGNUPFLOW_CONFIG_HASH={self.desired}\n"
            # How this generation is reached and asked, for a release that is taken back to it one day.
            f"SIGNUPFLOW_URLS={','.join(self.urls(generation))}\n"
            f"SIGNUPFLOW_PORT={self.port}\n"
            f"SIGNUPFLOW_HEALTH_PATH={self.health_path}\n"
            f"SIGNUPFLOW_READY_PATH={self.route.ready_path}\n"
        )
        if self.address:
            text += f"SIGNUPFLOW_PORTS={ports[0]}" + (f"-{ports[-1]}\n" if len(ports) > 1 else "\n")
        return text


@dataclass(frozen=True)
class Plan:
    """What one host has to do: turns, and secret files that somebody took away from what serves."""

    observed: Observed
    todo: tuple[Work, ...]
    delivering: tuple[PyinfraCommand, ...]

    @property
    def nothing(self) -> bool:
        return not (self.todo or self.delivering)


def observe(target: Host, release: Release, serving: Serving) -> Observed:
    """A host as its containers, its files, its journal and the routes show it."""
    found: dict[int, list[Container]] = {}
    for item in target.get_fact(Containers, label=f"{APP_LABEL}={release.app}"):
        found.setdefault(_generation(item), []).append(item)
    current = serving.generation(target.name)
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
        tuple(target.get_fact(Generations, directory=release.directory)),
        len(routed) != 1 or serving.urls_of(target.name, current) == tuple(release.urls(current)),
        journal.unfinished(entry, max(routed, default=0)),
        entry.going_back if entry else 0,
    )


def planned(target: Host, release: Release, serving: Serving, again: bool = False) -> Plan:
    """What `turn` would do on a host now."""
    observed = observe(target, release, serving)
    todo = (resume.again if again else resume.work)(observed, release.fresh)
    delivering: tuple[PyinfraCommand, ...] = ()
    if not todo:
        directory = release.secret_directory(observed.current)
        delivering = tuple(secrets.owned(directory, release.secrets.values, release.secrets.uid))
    return Plan(observed, todo, delivering)


@operation()
def begin() -> Iterator[StringCommand]:
    """Every host gets here before the first turn: without it, hosts with more steps before would break the order."""
    host.noop("ready for the turns")
    return
    yield  # an operation is a generator


@operation()
def turn(release: Release, again: bool = False) -> Iterator[PyinfraCommand]:
    """Have this release serve on this host, from a Compose project of its own generation: one state machine, step by step.

    A failure takes this host back to what served before, within this operation. With `again` a host that serves it already
    gets it once more, in new containers.
    """
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    plan = planned(host, release, Serving.parse(found.content), again)
    if plan.nothing:
        if state.is_executing:
            _adopt(release)
        host.noop(f"{release.app} generation {plan.observed.current} serves as desired")
        return
    _announce(release, plan.observed.current)
    yield from plan.delivering
    if not plan.todo:
        return
    if state.is_executing and plan.observed.current:
        runs.current().start_probe(release.entries[0], release.observe_path, release.probe_rate)
    yield Turns(edge, release, plan.todo)


@operation()
def taken_back(release: Release, keep: bool) -> Iterator[PyinfraCommand]:
    """On a host that has switched in this run already, when the run has failed since: the release before serves again."""
    run_ = runs.current()
    before = run_.switched.get(host.name)
    if keep or not run_.failures or before is None:
        host.noop("nothing to take back")
        return
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    current = Serving.parse(found.content).generation(host.name)
    yield Turns(edge, release, [resume.back(release.fresh, current, before)])


@operation()
def undone(release: Release) -> Iterator[PyinfraCommand]:
    """Take an unfinished release back on this host: what was cut off, and what that same run had switched already."""
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    serving = Serving.parse(found.content)
    observed = observe(host, release, serving)
    todo = resume.undo(observed, release.fresh)
    entry = _unrecorded(release)
    if not todo and entry is not None:
        todo = (resume.back(release.fresh, entry.new, entry.old),)
    if not todo:
        host.noop("no unfinished release")
        return
    yield Turns(edge, release, todo)


def _adopt(release: Release) -> None:
    """Take over what a run that was cut off had switched here: it is watched, recorded, and taken back with the rest."""
    entry = _unrecorded(release)
    if entry is not None:
        runs.current().switched.setdefault(host.name, entry.old)
        runs.current().adopted.add(entry.run)


def _unrecorded(release: Release) -> journal.Entry | None:
    """The end of this host's last turn, when its run never came to its own end: the ledger does not name it.

    A turn that took a release back names no image, and is not undone again; a first release has nothing before it.
    """
    entry = journal.last(host.get_fact(AppendedText, path=journal.path(release.app)))
    if entry is None or not (entry.switched and entry.image and entry.old):
        return None
    text = connected(inventory.get_host(release.route.edge)).get_fact(AppendedText, path=ledger.FILE)
    known = {run for record in ledger.parse(text) for run in (record.run, *record.adopted)}
    return None if entry.run in known else entry


@operation()
def observed(release: Release, seconds: float) -> Iterator[PyinfraCommand]:
    """Watch the whole service after the last turn. A trigger does not fail this host, but the run: hosts are then taken back."""
    run_ = runs.current()
    if not state.is_executing or not run_.switched or run_.failures or not seconds:
        host.noop("nothing was released")
        return
    reason = Watcher(connected(inventory.get_host(release.route.edge)), release).reason(seconds)
    if reason:
        run_.fail(f"taken back in the observation: {reason}")
        logger.error(f"{host.print_prefix}Error: {reason}")
    host.noop("observed")
    yield from ()


class Watcher:
    """Asks the public entry and Traefik's counters every few seconds."""

    def __init__(self, edge: Host, release: Release) -> None:
        self.edge, self.release = edge, release

    def reason(self, seconds: float) -> str:
        """Why the release must go back, or an empty string after `seconds`."""
        judged = watch.Observation(self.release.error_percent, min(120.0, seconds))
        began = time.monotonic()
        logger.info(f"--> Observing for {seconds:g} s")
        while True:
            try:
                runs.current().renew()
            except runs.LeaseLostError as error:
                return str(error)
            elapsed = time.monotonic() - began
            reason = judged.add(self._sample(elapsed)) or runs.current().probe_fails(self.release.error_percent)
            if reason or elapsed >= seconds:
                return reason
            gevent.sleep(min(CHECK_SECONDS, seconds / 4))

    def _sample(self, at: float) -> watch.Sample:
        try:
            status, body = probe.ask(self.release.entries[0], self.release.observe_path, timeout=10)
        except (OSError, HTTPException):
            status, body = 0, ""
        try:
            metrics = run(self.edge, f"curl --silent -m 5 {TRAEFIK}/metrics | grep '^traefik_service_requests_total' || true")
        except ScriptError:
            metrics = ""
        found = watch.counts(metrics)
        mine = [name for name in found if name.startswith(f"{self.release.app}-on-") or name == f"{self.release.app}-every"]
        return watch.sample(at, status, body, watch.total(found, mine))


@operation()
def verdict() -> Iterator[StringCommand]:
    """The end: the record, the lease given back; and this host fails when the run has failed and no host has.

    One failed host makes the exit code; were all to fail, pyinfra would print no results.
    """
    run_ = runs.current()
    if state.is_executing:
        run_.close()
    if not run_.failures or state.failed_hosts:
        host.noop("nothing has failed that was not told")
        return
    yield StringCommand("echo 'the release failed' >&2; exit 1")


@operation()
def left(release: Release) -> Iterator[PyinfraCommand]:
    """Take this host out: first out of the routes, and only when Traefik confirms, its replicas stop."""
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    serving = Serving.parse(found.content)
    generations = sorted({_generation(item) for item in host.get_fact(Containers, label=f"{APP_LABEL}={release.app}")})
    routed = host.name in serving.hosts
    if not routed and not generations:
        host.noop(f"{release.app} neither runs here nor is routed here")
        return
    if routed and len(serving.hosts) == 1:
        yield StringCommand(
            "echo", QuoteString(f"{host.name} alone serves {release.app}; release to another host first"), ">&2; exit 1"
        )
        return
    if routed:
        serving = serving.without(host.name)
        content = release.route.render(serving)
        show(found, release.route.path, content, "0644", "root:root")
        yield from on(edge, written(release.route.path, content, "0644", "root:root"))
    yield Confirmed(edge, release.app, serving)
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
def only(route: Route) -> Iterator[PyinfraCommand]:
    """On the edge: no route leads to a host that the inventory no longer has, and health checks are as set."""
    found = host.get_fact(ManagedFile, path=route.path)
    serving = Serving.parse(found.content)
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
    yield Confirmed(inventory.get_host(host.name), route.app, serving)


class Confirmed(PyinfraCommand):
    """Waits until Traefik serves exactly what the routes say."""

    def __init__(self, edge: Host, app: str, serving: Serving) -> None:
        super().__init__()
        self.edge, self.app, self.serving = edge, app, serving

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        try:
            confirm(connected(self.edge), self.app, self.serving)
        except (StepFailedError, ScriptError) as error:
            logger.error(f"{host.print_prefix}Error: {error}")
            return False
        return True


def _edge(route: Route) -> tuple[Host, HostFile | None]:
    """The edge host and its file of servers; None when the edge cannot be reached."""
    edge = inventory.get_host(route.edge)
    try:
        return edge, connected(edge).get_fact(ManagedFile, path=route.path)
    except ConnectError:
        return edge, None


def _unreachable(route: Route) -> StringCommand:
    return StringCommand(
        "echo", QuoteString(f"{route.edge}, which holds the routes, takes no SSH; nothing was changed"), ">&2; exit 1"
    )


def _generation(item: Container) -> int:
    return int(item.labels.get(GENERATION_LABEL, "0"))


def _announce(release: Release, current: int) -> None:
    """Print what differs from the generation that serves, when pyinfra runs with --diff."""
    for name, text in release.files.items():
        before = host.get_fact(ManagedFile, path=f"{release.project(current)}/{name}")
        if differs(before, text, "0644", "root:root"):
            show(before, f"{release.directory}/{name}", text, "0644", "root:root")
    secrets.show(release.secret_directory(current), release.secrets.values, release.secrets.uid)
