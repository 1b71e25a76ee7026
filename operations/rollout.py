"""The rollout of one host, done: what `signupflow.release.rollout` orders, on the host and on the edge.

Every step can be repeated: a connection that is lost is made again and the step's script runs again; a run that was killed
is followed by one that finds what is there and goes on.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

import gevent
from pyinfra.api import Host, State
from pyinfra.api.command import PyinfraCommand

from operations.app_host import AppHost, Replica
from operations.deployment import DeploymentContext
from operations.edge import Edge
from operations.executor import Executor, StepFailedError
from operations.remote import ScriptError
from signupflow import probe
from signupflow.names import generation_service, replica_names
from signupflow.probe import Entry
from signupflow.release import journal, watch
from signupflow.release.cause import cause
from signupflow.release.resume import Work
from signupflow.release.rollout import BACKWARD, ENDS, Event, Rollout, Step
from signupflow.release.spec import Endpoints, ReleaseSpec
from signupflow.routing import RouteTable

# How often a share of traffic is judged, and how often all of it.
SHIFT_SECONDS, WATCH_SECONDS = 0.5, 1.0
SMOKE_SECONDS = 20.0
# The first time, certificates are still on their way (SPEC.md: within 5 minutes).
FIRST_SMOKE_SECONDS = 300.0
POLL_SECONDS = 0.1

Ask = Callable[[Entry, str], tuple[int, str]]


class Rollouts(PyinfraCommand):
    """All that one host has to do: usually one rollout, after a run that was cut off also the rest of that one."""

    def __init__(self, context: DeploymentContext, edge: Host, spec: ReleaseSpec, todo: Iterable[Work]) -> None:
        super().__init__()
        self.context, self.edge, self.spec, self.todo = context, edge, spec, tuple(todo)

    def __repr__(self) -> str:
        return f"Rollouts({[(work.first, work.rollout.new) for work in self.todo]})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        return self.on(host)

    def on(self, host: Host) -> bool:
        """One after another: one that only removes what a killed run left must not keep the wanted one from following."""
        app_host, edge = AppHost(host, self.spec), Edge(self.edge, self.spec.route)
        return all(
            RolloutExecutor(self.context, app_host, edge, self.spec, work.rollout).rolled_out(work.first) for work in self.todo
        )


class RolloutExecutor(Executor[Step]):
    """Drives one rollout from a step to an end."""

    ends = ENDS

    def __init__(
        self,
        context: DeploymentContext,
        app_host: AppHost,
        edge: Edge,
        spec: ReleaseSpec,
        rollout: Rollout,
        ask: Ask = probe.ask,
    ) -> None:
        super().__init__(context, app_host.name, app_host.prefix, (edge.name, app_host.name))
        self.app_host, self.edge, self.spec, self.rollout, self.ask = app_host, edge, spec, rollout, ask
        self.weights = list(rollout.weights)
        self._endpoints: dict[int, Endpoints] = {}
        if not rollout.known:
            self._endpoints[rollout.new] = spec.endpoints(rollout.new)

    @property
    def effects(self) -> Mapping[Step, Callable[[], Event | None]]:
        rollout = self.rollout
        return {
            Step.WRITE: self.write,
            Step.START: lambda: self.start(rollout.new),
            Step.HEALTH: lambda: self.healthy(rollout.new),
            Step.VERIFY: self.verify,
            Step.SOAK: self.soak,
            Step.SHIFT: self.shift,
            Step.PROMOTE: lambda: self.app_host.promote(rollout.new, rollout.old),
            Step.SWITCH: self.switch,
            Step.STOP: lambda: self.stop(rollout.old),
            Step.SMOKE: self.smoke,
            Step.BAKE: self.bake,
            Step.FINISH: self.finish,
            Step.REVIVE: self.revive,
            Step.ROUTE_BACK: self.route_back,
            Step.REMOVE: self.remove,
        }

    def rolled_out(self, step: Step) -> bool:
        """Run to an end; True when the new generation serves, or when what was to be removed is gone."""
        removing = step in (Step.REMOVE, Step.ROUTE_BACK)
        end = self.execute(step)
        progress = self.context.progress
        if end is Step.STUCK:
            self.warn(
                f"could not be rolled back: see `docker ps` on {self.host_name} and {self.spec.route.path} on {self.edge.name}"
            )
        if end is Step.DONE and not removing:
            if not self.rollout.old:
                progress.first.append(self.host_name)
            elif self.rollout.known:
                progress.rolled_back.append(self.host_name)
            else:
                progress.switched.setdefault(self.host_name, self.rollout.old)
        return end is Step.DONE or (removing and end is Step.ROLLED_BACK)

    def after(self, step: Step, event: Event) -> Step:
        return self.rollout.after(step, event)

    def backward(self, step: Step) -> bool:
        return step in BACKWARD

    def optional(self, step: Step) -> bool:
        # The release serves whatever becomes of pruning; an end without its line in the journal is looked at again.
        return step is Step.FINISH

    def describe(self, step: Step) -> str:
        return f"{step}  (generation {self.rollout.new})"

    def named(self, step: Step) -> str:
        return f"{step} of generation {self.rollout.new}"

    def record(self, step: Step) -> None:
        image = self.spec.image_id or self.spec.image
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.app_host.record(
            journal.Entry(
                self.context.identity.id,
                at,
                self.rollout.new,
                self.rollout.old,
                str(step),
                self.spec.version,
                "" if self.rollout.known else image,
            )
        )

    def endpoints(self, generation: int) -> Endpoints:
        """How a generation is reached: read once, and for the old one before anything depends on it."""
        if generation not in self._endpoints:
            self._endpoints[generation] = self.app_host.endpoints(generation)
        return self._endpoints[generation]

    # Forward

    def write(self) -> None:
        if self.rollout.old:
            # All that the way back needs is read here, while the host answers.
            self.endpoints(self.rollout.old)
        self.app_host.write(self.rollout.new)

    def start(self, generation: int) -> None:
        try:
            self.app_host.start(generation)
        except ScriptError as error:
            raise StepFailedError(f"its containers do not start: {cause(str(error))}\n{error}") from None

    def healthy(self, generation: int) -> None:
        """Every replica runs and answers its health path and what the routes will ask."""
        asked = self.endpoints(generation)
        deadline = time.monotonic() + self.spec.start_seconds
        while True:
            found = self.app_host.replicas(generation, asked)
            if len(found) == len(asked.urls) and all(item.serves for item in found):
                return
            gone = [item for item in found if item.status != "running"]
            if gone or time.monotonic() >= deadline:
                raise StepFailedError(self._unhealthy(found, asked))
            gevent.sleep(POLL_SECONDS)

    def _unhealthy(self, found: list[Replica], asked: Endpoints) -> str:
        for item in found:
            logs = f"\n{self.app_host.logs(item.name)}"
            if item.status != "running":
                return f"{item.name} is {item.status} (exit code {item.exit_code}) and not running{logs}"
            for path, code in ((asked.health_path, item.health_code), (asked.ready_path, item.ready_code)):
                if code != "200":
                    said = f"answered {code}" if code != "000" else f"did not answer on port {asked.port}"
                    return f"{item.name}: {path} {said}, not 200, within {self.spec.start_seconds} s{logs}"
        return f"only {len(found)} of {len(asked.urls)} replicas are there"

    def steady(self, generation: int, when: str) -> None:
        """Fails when one of a generation's replicas is not there, not running, has restarted or is unhealthy."""
        found = self.app_host.replicas(generation)
        for item in found:
            if not item.steady:
                what = f"exited ({item.exit_code})" if item.status != "running" else "restarted" if item.restarts else item.health
                raise StepFailedError(f"{item.name} {what} {when}\n{self.app_host.logs(item.name)}")
        if len(found) < self.spec.replicas:
            raise StepFailedError(f"only {len(found)} of {self.spec.replicas} replicas are there {when}")

    def verify(self) -> None:
        """The image's own check, inside the first replica; what it says must be this release's version and schema."""
        name = replica_names(self.spec.app, self.rollout.new, 1)[0]
        command = shlex.join(self.spec.check_command)
        try:
            answer = json.loads(self.app_host.check(self.rollout.new).splitlines()[-1])
        except ScriptError as error:
            raise StepFailedError(f"{name}: `{command}` says: {error}\n{self.app_host.logs(name)}") from None
        except (ValueError, IndexError):
            answer = None
        if not isinstance(answer, dict):
            raise StepFailedError(f"{name}: `{command}` printed no JSON object")
        if self.spec.version and answer.get("version") != self.spec.version:
            raise StepFailedError(f"{name} says version {answer.get('version')!r}, and the release is {self.spec.version!r}")
        if answer.get("schema") in self.spec.older_revisions:
            raise StepFailedError(f"{name} finds schema {answer['schema']!r}, which is older than this release's")
        self.say(f"         {', '.join(f'{key} {value}' for key, value in answer.items())}")

    def soak(self) -> None:
        """Stop the last candidate as it will be stopped one day, start it again, and watch them all before they matter."""
        name = replica_names(self.spec.app, self.rollout.new, self.rollout.replicas)[-1]
        if self.app_host.stop_replica(name) == 137:
            limit = self.spec.stop_seconds
            ignores = f"{name} ignores SIGTERM: it was killed after {limit} s, and would lose what is in flight"
            raise StepFailedError(f"{ignores}\n{self.app_host.logs(name)}")
        self.app_host.start_replica(name)
        self.healthy(self.rollout.new)
        until = time.monotonic() + self.rollout.soak_seconds
        while time.monotonic() < until:
            self.steady(self.rollout.new, "before it got traffic")
            gevent.sleep(WATCH_SECONDS)

    def shift(self) -> Event:
        """The next share of this host's traffic; then its pause, in which errors end it."""
        self._probed()
        self.endpoints(self.rollout.old)
        if len(self.weights) == len(self.rollout.weights):
            self.app_host.full_share(self.rollout.new)
        weight = self.weights.pop(0)
        urls = self.spec.urls(self.rollout.new)
        self._serves(f"{self.spec.version} for {weight} %")
        self._rewrite(lambda serving: serving.sharing(self.host_name, self.rollout.old, self.rollout.new, urls, weight))
        self.say(f"         {weight} % to generation {self.rollout.new}")
        self._watch(self.rollout.pause_seconds, SHIFT_SECONDS, f"with {weight} % of the traffic")
        return Event.MORE if self.weights else Event.OK

    def _watch(self, seconds: float, every: float, when: str) -> None:
        before, until = self.edge.counts(), time.monotonic() + seconds
        while True:
            self.steady(self.rollout.new, when)
            self._probed()
            now = self.edge.counts()
            new, old = (
                now.get(service, watch.Count()) - before.get(service, watch.Count())
                for service in (self._service(self.rollout.new), self._service(self.rollout.old))
            )
            if reason := watch.fails(new, old, self.spec.error_percent):
                logs = self.app_host.logs(replica_names(self.spec.app, self.rollout.new, 1)[0])
                raise StepFailedError(f"{reason} {when}\n{logs}")
            if time.monotonic() >= until:
                return
            gevent.sleep(min(every, max(0.0, until - time.monotonic())))

    def _probed(self) -> None:
        """Fails when the run's probe of the public entry does; the first call is before the first traffic moves."""
        if not self.rollout.known and (reason := self.context.probe.fails(self.spec.error_percent)):
            raise StepFailedError(reason)

    def _service(self, number: int) -> str:
        return generation_service(self.spec.app, self.host_name, number)

    def switch(self) -> None:
        self._probed()
        self.route(self.rollout.new)
        self._serves(self.context.recorder.version_before if self.rollout.known else self.spec.version)

    def route(self, number: int) -> None:
        urls = self.endpoints(number).urls
        self._rewrite(lambda serving: serving.having(self.host_name, number, urls))

    def _rewrite(self, change: Callable[[RouteTable], RouteTable]) -> None:
        """Read the routes again (other hosts had their rollouts), change this host's, and wait until Traefik confirms them."""
        serving = change(self.edge.routes()).only(self.spec.route.hosts)
        self.edge.write(serving)
        self.edge.confirm(serving)

    def _serves(self, version: str) -> None:
        """What this host's traffic goes to now, for the record of a run that ends here."""
        self.context.progress.serving[self.host_name] = version or "?"

    def stop(self, generation: int) -> None:
        """Stop a generation with its grace, and keep its files: it is what a release is rolled back to."""
        for name in self.app_host.stop(generation):
            self.warn(f"{name} did not end within its grace of {self.spec.stop_seconds} s and was killed")

    def smoke(self) -> None:
        """Each domain through the public entry answers its health path."""
        deadline = time.monotonic() + (SMOKE_SECONDS if self.rollout.old else FIRST_SMOKE_SECONDS)
        path = self.endpoints(self.rollout.new).health_path
        for entry in self.context.asked(self.spec.entries):
            while (said := self._answer(entry, path)) != "answers 200":
                if time.monotonic() >= deadline:
                    raise StepFailedError(f"https://{entry.domain}{path} {said}")
                gevent.sleep(0.5)

    def _answer(self, entry: Entry, path: str) -> str:
        try:
            return f"answers {self.ask(entry, path)[0]}"
        except (OSError, HTTPException) as error:
            return f"does not answer: {error}"

    def bake(self) -> None:
        self._watch(self.rollout.bake_seconds, WATCH_SECONDS, f"within {self.rollout.bake_seconds:g} s of all traffic")

    def finish(self) -> None:
        """Old releases go."""
        self.app_host.prune((self.rollout.new, self.rollout.old))

    # Backward

    def revive(self) -> None:
        """The generation before comes up again beside the one that failed; its files are still there."""
        self.start(self.rollout.old)
        self.healthy(self.rollout.old)

    def route_back(self) -> None:
        """Traffic goes back first of all to what runs, even when the host itself cannot be reached any more.

        After a reboot the old replicas may be down, having been demoted already: they come up before they are routed to.
        """
        reached = True
        try:
            if self.app_host.start_stopped(self.rollout.old, patience=0):
                self.healthy(self.rollout.old)
        except (Exception, gevent.Timeout) as error:
            # What runs there goes on running: it is routed to first, and looked after when the host is back.
            self.warn(f"    {error}")
            reached = False
        self._rewrite(self._back)
        self._serves(self.context.recorder.version_before)
        if not reached and self.app_host.start_stopped(self.rollout.old):
            self.healthy(self.rollout.old)
        self.app_host.promote(self.rollout.old, self.rollout.new)

    def _back(self, serving: RouteTable) -> RouteTable:
        """All of this host's traffic at the old generation. The routes themselves say where it is, while they share."""
        old = self.rollout.old
        urls = serving.urls_of(self.host_name, old) or self.endpoints(old).urls
        return serving.having(self.host_name, old, urls)

    def remove(self) -> None:
        """Take the candidate away, with its files; not while anything might be sent to it."""
        serving = self.edge.routes()
        if self.rollout.new in serving.routed(self.host_name):
            raise StepFailedError(f"generation {self.rollout.new} is still in the routes")
        if serving.hosts:
            self.edge.confirm(serving)
        self.stop(self.rollout.new)
        if not self.rollout.known:  # a release that has served stays to go back to
            self.app_host.forget(self.rollout.new)
