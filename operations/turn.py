"""The steps of one host's turn, done: what `signupflow.release.turn` orders, on the host and on the edge.

Every step can be repeated: a connection that is lost is made again and the step's script runs again; a run that was killed
is followed by one that finds what is there and goes on.
"""

from __future__ import annotations

import base64
import json
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import gevent
from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError

from operations import run as runs
from operations.remote import ScriptError, run
from operations.replicas import Replicas, StepFailedError, read_script
from signupflow import probe
from signupflow.release import journal, prune, watch
from signupflow.release.cause import cause
from signupflow.release.resume import Work
from signupflow.release.turn import BACKWARD, ENDS, Event, Step, Turn
from signupflow.routing import Serving, generation_service, replica_names

if TYPE_CHECKING:
    from operations.release import Release

TRAEFIK = "http://127.0.0.1:8099"
# Traefik reads a changed file within milliseconds; this is for a machine that is busy with everything else.
CONFIRM_SECONDS = 15.0
# How often a share of traffic is judged, and how often all of it.
SHIFT_SECONDS, WATCH_SECONDS = 0.5, 1.0
SMOKE_SECONDS = 20.0
# The first time, certificates are still on their way (SPEC.md: within 5 minutes).
FIRST_SMOKE_SECONDS = 300.0
GRACE = 15.0
# Docker's default weight. Candidates start with less (compose.yaml), so that starting does not slow down what serves.
CPU_SHARES = 1024
PRUNE_SECONDS = 120.0


class Turns(PyinfraCommand):
    """All that one host has to do in its turn: usually one turn, after a run that was cut off also the rest of that one."""

    def __init__(self, edge: Host, release: Release, todo: Iterable[Work]) -> None:
        super().__init__()
        self.edge, self.release, self.todo = edge, release, tuple(todo)

    def __repr__(self) -> str:
        return f"Turns({[(work.first, work.turn.new) for work in self.todo]})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        # A turn that only takes away what a killed run left must not keep the wanted one from following.
        return all(Machine(host, self.edge, self.release, work.turn).go(work.first) for work in self.todo)


class Machine:
    """Drives one turn from a step to an end, and keeps the journal. `go` says whether it ended as it was meant to."""

    def __init__(self, host: Host, edge: Host, release: Release, turn: Turn) -> None:
        self.host, self.edge, self.release, self.turn = host, edge, release, turn
        self.run = runs.current()
        self.weights = list(turn.weights)
        self.reason = ""
        self.lost = False
        self.replicas = Replicas(host, release, 0 if turn.known else turn.new)
        self.began = time.monotonic()
        self.effects: Mapping[Step, Callable[[], Event | None]] = {
            Step.WRITE: self.write,
            Step.START: lambda: self.start(turn.new),
            Step.HEALTH: lambda: self.replicas.healthy(turn.new),
            Step.VERIFY: self.verify,
            Step.REHEARSE: self.rehearse,
            Step.SHIFT: self.shift,
            Step.PROMOTE: lambda: self.promote(turn.new, turn.old),
            Step.SWITCH: self.switch,
            Step.STOP: lambda: self.stop(turn.old),
            Step.SMOKE: self.smoke,
            Step.BAKE: self.bake,
            Step.FINISH: self.finish,
            Step.REVIVE: self.revive,
            Step.ROUTE_BACK: self.route_back,
            Step.REMOVE: self.remove,
        }

    def go(self, step: Step) -> bool:
        """Run to an end; True when the new generation serves, or when what was to be taken away is gone."""
        removing = step in (Step.REMOVE, Step.ROUTE_BACK)
        while step not in ENDS:
            step = self.turn.after(step, self._one(step))
        self._noted(step)  # an end without its line in the journal is looked at again by the next run
        if step is Step.STUCK:
            logger.error(self._said(f"stuck: look at `docker ps` here and {self.release.route.path} on {self.edge.name}"))
        if step is Step.DONE and not removing:
            if not self.turn.old:
                self.run.first.append(self.host.name)
            elif self.turn.known:
                self.run.taken_back.append(self.host.name)
            else:
                self.run.switched.setdefault(self.host.name, self.turn.old)
        return step is Step.DONE or (removing and step is Step.UNDONE)

    def _one(self, step: Step) -> Event:
        started = time.monotonic()
        try:
            # Side by side, for each costs a round trip; the step itself begins when both are done.
            noted = gevent.spawn(self._noted, step)
            self.run.renew(now=(self.edge.name, self.host.name))
            unnoted = noted.get()
            if unnoted and step not in BACKWARD:  # the way back does not wait for a host that cannot be reached
                raise unnoted
            event = self.effects[step]() or Event.OK
        except (StepFailedError, ScriptError, ConnectError, ValueError, AttributeError) as error:
            event = Event.FAILED
            self.lost = self.lost or isinstance(error, runs.LeaseLostError)
            first, _, rest = str(error).partition("\n")
            reason = f"{self.host.name}: {step} of generation {self.turn.new} failed: {first}"
            if not self.reason:
                self.reason = reason
                self.run.fail(reason)
            logger.error(self._said(f"Error: {step}: {first}"))
            for line in rest.splitlines():
                logger.warning(self._said(f"    {line}"))
        self.run.spent(self.host.name, step, time.monotonic() - started)
        return event

    def _said(self, text: str) -> str:
        return f"{self.host.print_prefix}{text}"

    def _noted(self, step: Step) -> ScriptError | None:
        """One line for the operator, and one in the host's journal; the error when that could not be written.

        A run that has lost its lease writes nothing more: the journal is its successor's.
        """
        logger.info(self._said(f"{time.monotonic() - self.began:6.1f} s  {step}  (generation {self.turn.new})"))
        if self.lost:
            return None
        image = self.release.image_id or self.release.version or "?"
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = journal.Entry(
            self.run.identity, at, self.turn.new, self.turn.old, str(step), self.release.version, "" if self.turn.known else image
        )
        line = shlex.quote(entry.line())
        try:
            run(self.host, f"mkdir -p $(dirname {self._journal}); printf '%s\\n' {line} >> {self._journal}")
        except ScriptError as error:
            return error
        return None

    @property
    def _journal(self) -> str:
        return journal.path(self.release.app)

    # Forward

    def write(self) -> None:
        directory, secrets = self.release.project(self.turn.new), self.release.secret_directory(self.turn.new)
        files = {f"{directory}/{name}": text for name, text in self.release.files.items()}
        files[f"{directory}/.env"] = self.release.environment(self.turn.new)
        uid = self.release.secrets.uid
        keep = " ".join(f"! -name {shlex.quote(name)}" for name in self.release.secrets.values)
        script = [
            "set -e",
            f"mkdir -p -m 0711 /etc/signupflow/secrets && install -d -m 0700 -o {uid} -g {uid} "
            f"{shlex.quote(self.release.secrets.parent)} {shlex.quote(secrets)}",
            # In place: a candidate of a run that was killed has this very directory mounted.
            f"find {shlex.quote(secrets)} -mindepth 1 -maxdepth 1 -type f {keep} -delete",
            *(file_script(path, text if text.endswith("\n") else text + "\n", "0644", 0) for path, text in files.items()),
            *(
                file_script(f"{secrets}/{name}", value.rstrip("\n") + "\n", "0400", uid)
                for name, value in self.release.secrets.values.items()
            ),
        ]
        run(self.host, "\n".join(script))

    def start(self, number: int) -> None:
        compose = f"docker compose --project-directory {self.release.project(number)}"
        try:
            # Not `--wait`: Docker first asks after its whole interval, and an image need not say how it is asked.
            run(self.host, f"{compose} up --detach --quiet-pull --remove-orphans 2>&1", self.release.start_seconds + GRACE)
        except ScriptError as error:
            raise StepFailedError(f"its containers do not start: {cause(str(error))}\n{error}") from None

    def verify(self) -> None:
        """The image's own check, inside the first replica; what it says must be this release's version and schema."""
        name = replica_names(self.release.app, self.turn.new, 1)[0]
        command = shlex.join(self.release.check_command)
        try:
            said = run(self.host, f"docker exec {name} {command}", 60)
            answer = json.loads(said.splitlines()[-1])
        except ScriptError as error:
            raise StepFailedError(f"{name}: `{command}` says: {error}\n{self.replicas.logs(name)}") from None
        except (ValueError, IndexError):
            raise StepFailedError(f"{name}: `{command}` printed no JSON") from None
        if self.release.version and answer.get("version") != self.release.version:
            raise StepFailedError(f"{name} says version {answer.get('version')!r}, and the release is {self.release.version!r}")
        if answer.get("schema") in self.release.older_revisions:
            raise StepFailedError(f"{name} finds schema {answer['schema']!r}, which is older than this release's")
        logger.info(self._said(f"         {', '.join(f'{key} {value}' for key, value in answer.items())}"))

    def rehearse(self) -> None:
        """Stop the last candidate as it will be stopped one day, start it again, and watch them all before they matter."""
        name = replica_names(self.release.app, self.turn.new, self.turn.replicas)[-1]
        limit = self.release.stop_seconds
        run(self.host, f"docker stop --time {limit} {name} >/dev/null", limit + GRACE)
        code = int(run(self.host, f"docker inspect --format '{{{{.State.ExitCode}}}}' {name}"))
        if code == 137:
            ignores = f"{name} ignores SIGTERM: it was killed after {limit} s, and would lose what is in flight"
            raise StepFailedError(f"{ignores}\n{self.replicas.logs(name)}")
        run(self.host, f"docker start {name} >/dev/null", self.release.start_seconds + GRACE)
        self.replicas.healthy(self.turn.new)
        until = time.monotonic() + self.turn.rehearsal_seconds
        while time.monotonic() < until:
            self.replicas.steady(self.turn.new, "before it got traffic")
            gevent.sleep(WATCH_SECONDS)

    def shift(self) -> Event:
        """The next share of this host's traffic; then its pause, in which errors end it."""
        self._probed()
        if len(self.weights) == len(self.turn.weights):
            run(self.host, f"{self.replicas.ids(self.turn.new)} | xargs -r docker update --cpu-shares {CPU_SHARES} >/dev/null")
        weight = self.weights.pop(0)
        urls = self.release.urls(self.turn.new)
        self._rewrite(lambda serving: serving.sharing(self.host.name, self.turn.old, self.turn.new, urls, weight))
        logger.info(self._said(f"         {weight} % to generation {self.turn.new}"))
        self._watch(self.turn.pause_seconds, SHIFT_SECONDS, f"with {weight} % of the traffic")
        return Event.MORE if self.weights else Event.OK

    def _watch(self, seconds: float, every: float, when: str) -> None:
        before, until = self._counts(), time.monotonic() + seconds
        while True:
            self.replicas.steady(self.turn.new, when)
            self._probed()
            now = self._counts()
            new, old = (
                now.get(service, watch.Count()) - before.get(service, watch.Count())
                for service in (self._service(self.turn.new), self._service(self.turn.old))
            )
            if reason := watch.fails(new, old, self.release.error_percent):
                raise StepFailedError(
                    f"{reason} {when}\n{self.replicas.logs(replica_names(self.release.app, self.turn.new, 1)[0])}"
                )
            if time.monotonic() >= until:
                return
            gevent.sleep(min(every, max(0.0, until - time.monotonic())))

    def _probed(self) -> None:
        """Fails when the run's probe of the public entry does; the first call is before the first traffic moves."""
        if not self.turn.known and (reason := self.run.probe_fails(self.release.error_percent)):
            raise StepFailedError(reason)

    def _service(self, number: int) -> str:
        return generation_service(self.release.app, self.host.name, number)

    def _counts(self) -> dict[str, watch.Count]:
        # A host whose counters cannot be read now is looked at again half a second later.
        try:
            return watch.counts(
                run(self.edge, f"curl --silent -m 5 {TRAEFIK}/metrics | grep '^traefik_service_requests_total' || true")
            )
        except ScriptError:
            return {}

    def promote(self, up: int, down: int) -> None:
        """From now on a reboot starts `up`, and not `down`. Before all traffic moves, so that what is routed to comes up."""
        grown = f"docker update --restart unless-stopped --cpu-shares {CPU_SHARES} $ids >/dev/null"
        script = f'ids=$({self.replicas.ids(up)}) && test -n "$ids" && {grown}'
        if down:
            script += f" && {self.replicas.ids(down)} | xargs -r docker update --restart no >/dev/null"
        run(self.host, script)

    def switch(self) -> None:
        self._probed()
        self.route(self.turn.new)

    def route(self, number: int) -> None:
        urls = self.replicas.kept(number).urls
        self._rewrite(lambda serving: serving.having(self.host.name, number, urls))

    def _serving(self) -> Serving:
        return Serving.parse(run(self.edge, read_script(self.release.route.path)))

    def _rewrite(self, change: Callable[[Serving], Serving]) -> None:
        """Read the routes again (other hosts had their turns), change this host's, and wait until Traefik confirms them."""
        route = self.release.route
        serving = change(self._serving()).only(route.hosts)
        run(self.edge, "set -e\n" + file_script(route.path, route.render(serving), "0644", 0))
        confirm(self.edge, route.app, serving)

    def stop(self, number: int) -> None:
        """Stop a generation with its grace, and keep its files: it is what a release is taken back to.

        Traefik sends nothing there any more, so that it may stop without waiting for somebody to notice.
        """
        limit, signal = self.release.stop_seconds, self.release.drained_signal
        named = f"--signal {signal} " if signal else ""
        ids = self.replicas.ids(number)
        killed = run(
            self.host,
            f'ids=$({ids}); test -n "$ids" || exit 0\ndocker stop {named}--time {limit} $ids >/dev/null || exit 1\n'
            "docker inspect --format '{{.Name}} {{.State.ExitCode}}' $ids | sed -n 's#^/\\(.*\\) 137$#\\1#p'\n"
            "docker rm --force $ids >/dev/null",
            limit + GRACE,
        )
        for name in killed.split():
            logger.warning(self._said(f"{name} did not end within its grace of {limit} s and was killed"))

    def smoke(self) -> None:
        """Each domain through the public entry answers its health path."""
        deadline = time.monotonic() + (SMOKE_SECONDS if self.turn.old else FIRST_SMOKE_SECONDS)
        path = self.replicas.kept(self.turn.new).health_path
        for entry in self.release.entries:
            while True:
                try:
                    status, _ = probe.ask(entry, path)
                    said = f"answers {status}"
                except (OSError, HTTPException) as error:
                    status, said = 0, f"does not answer: {error}"
                if status == 200:
                    break
                if time.monotonic() >= deadline:
                    raise StepFailedError(f"https://{entry.domain}{path} {said}")
                gevent.sleep(0.5)

    def bake(self) -> None:
        self._watch(self.turn.bake_seconds, WATCH_SECONDS, f"within {self.turn.bake_seconds:g} s of all traffic")

    def finish(self) -> None:
        """Old releases go, but for the last that served: their files, and images that nothing names any more."""
        directory, secrets = self.release.directory, self.release.secrets.parent
        try:
            there = prune.listed(run(self.host, prune.list_script(directory)))
            served = journal.served(run(self.host, journal.served_script(self.release.app)))
            old = prune.doomed((self.turn.new, self.turn.old), there, served, self.release.keep)
            work = journal.trim_script(self.release.app) + prune.files_script(directory, secrets, old)
            run(self.host, work + prune.images_script(directory, self.release.repository), PRUNE_SECONDS)
        except ScriptError as error:  # the release serves; the next one prunes
            logger.warning(self._said(f"old releases were not pruned: {error}"))

    # Backward

    def revive(self) -> None:
        """The generation before comes up again beside the one that failed; its files are still there."""
        self.start(self.turn.old)
        self.replicas.healthy(self.turn.old)

    def route_back(self) -> None:
        """Traffic goes back even when the host itself cannot be reached any more.

        After a reboot the old replicas may be down, having been demoted already: they come up before they are routed to.
        """
        try:
            down = f"docker ps -aq --filter status=exited --filter label={self.release.generation_label}={self.turn.old}"
            app = f"--filter label={self.release.app_label}={self.release.app}"
            if run(self.host, f'ids=$({down} {app}); test -z "$ids" || docker start $ids', self.release.start_seconds + GRACE):
                self.replicas.healthy(self.turn.old)
            self.promote(self.turn.old, self.turn.new)
        finally:
            self.route(self.turn.old)

    def remove(self) -> None:
        """Take the candidate away, with its files; not while anything might be sent to it."""
        serving = self._serving()
        if self.turn.new in serving.routed(self.host.name):
            raise StepFailedError(f"generation {self.turn.new} is still in the routes")
        if serving.hosts:
            confirm(self.edge, self.release.app, serving)
        self.stop(self.turn.new)
        if not self.turn.known:  # a release that has served stays to go back to
            run(self.host, f"rm -rf {self.release.project(self.turn.new)} {self.release.secret_directory(self.turn.new)}")


def confirm(edge: Host, app: str, serving: Serving) -> None:
    """Poll Traefik's API until it serves exactly this."""
    deadline = time.monotonic() + CONFIRM_SECONDS
    while True:
        listed = run(edge, f"curl --silent -m 5 '{TRAEFIK}/api/http/services?per_page=10000' || true")
        said = serving.unconfirmed(app, listed)
        if not said:
            return
        if time.monotonic() >= deadline:
            raise StepFailedError(said)
        gevent.sleep(0.05)


def file_script(path: str, text: str, mode: str, uid: int) -> str:
    """Lines of a script that write a file beside its place and rename it over. Its content is in no process list."""
    packed = base64.b64encode(text.encode()).decode()
    new, target, parent = shlex.quote(f"{path}.new"), shlex.quote(path), shlex.quote(path.rpartition("/")[0])
    return (
        f"mkdir -p {parent}; install -m 0600 /dev/null {new}; base64 -d > {new} <<'SIGNUPFLOW'\n{packed}\nSIGNUPFLOW\n"
        f"chown {uid}:{uid} {new}; chmod {mode} {new}; mv -f {new} {target}"
    )
