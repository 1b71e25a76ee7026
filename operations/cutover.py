"""The cutover from an old service on SQLite: what `signupflow.cutover` orders, done on the database's host and on the edge."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

import gevent
from pyinfra import host, logger, state
from pyinfra.api import Host, State, operation
from pyinfra.api.command import PyinfraCommand

from facts.database import PSQL
from facts.host_files import AppendedText, FileSizes
from operations.app_host import file_script
from operations.delegate import connected
from operations.deployment import DeploymentContext
from operations.executor import Executor, StepFailedError
from operations.failed import refused
from operations.release import planned
from operations.remote import ScriptError, run
from operations.rollout import Rollouts
from signupflow import cutover, probe
from signupflow.cutover import Step
from signupflow.release import appended
from signupflow.release.cause import cause
from signupflow.release.rollout import Event
from signupflow.release.spec import APP_LABEL, ReleaseSpec
from signupflow.routing import RouteTable
from signupflow.shared.places import TRAEFIK_API as TRAEFIK

# The longest that an import may take; its deploy lock is renewed meanwhile.
IMPORT_SECONDS = 6 * 3600.0
# For a command that stops or starts the old service, and for the app's smoke suite.
COMMAND_SECONDS = 300.0
# Until Traefik has taken up a file, and until the old service answers again.
CONFIRM_SECONDS, ANSWER_SECONDS = 15.0, 60.0


@dataclass(frozen=True)
class Move:
    """The old service and where its rows go. `releases` are the app hosts with what they should run, in order.

    `project` is the Compose project with the services `import` and `smoke`; `page` and `legacy` are files of routes on the edge.
    """

    app: str
    database: str
    file: str
    upstream: str
    stop: str
    start: str
    decisions: Sequence[str]
    project: str
    page: tuple[str, str]
    legacy: tuple[str, str]
    page_routers: Sequence[str]
    legacy_routers: Sequence[str]
    releases: Sequence[tuple[Host, ReleaseSpec]]

    @property
    def container(self) -> str:
        return f"{self.app}-cutover-import"


def last_step(target: Host, app: str) -> Step | None:
    """Where the cutover stands, by the journal on the database's host."""
    return cutover.last_step(target.get_fact(AppendedText, path=cutover.journal_path(app)))


@operation()
def moved(context: DeploymentContext, move: Move, edge: Host) -> Generator[PyinfraCommand]:
    """The whole cutover, as one state machine; it ends with the new service open, or with the old one."""
    last = last_step(host, move.app)
    if last is Step.MOVED:
        host.noop("the rows are in PostgreSQL already")
        return
    size = sum(host.get_fact(FileSizes, paths=(move.file, f"{move.file}-wal")).values())
    if not size:
        yield refused(f"there is no file {move.file} on {host.name}, or it is empty; set legacy_sqlite_file", fleet=True)
        return
    if not state.is_executing:
        logger.info(f"{host.print_prefix}Cutover of {move.file}:")
        for text in cutover.describe(size, [target.name for target, _ in move.releases], move.stop):
            logger.info(f"{host.print_prefix}    {text}")
    yield Cutover(context, move, edge, last)


class Cutover(PyinfraCommand):
    """Drives the cutover from a step to an end."""

    def __init__(self, context: DeploymentContext, move: Move, edge: Host, last: Step | None) -> None:
        super().__init__()
        self.context, self.move, self.edge, self.last = context, move, edge, last

    def __repr__(self) -> str:
        return f"Cutover({self.move.app})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        return CutoverExecutor(self.context, self.move, host, connected(self.edge), self.last).moved()


class CutoverExecutor(Executor[Step]):
    """The steps of a cutover, on the database's host and on the edge."""

    ends = cutover.ENDS

    def __init__(self, context: DeploymentContext, move: Move, database: Host, edge: Host, last: Step | None) -> None:
        super().__init__(context, database.name, database.print_prefix, (edge.name, database.name))
        self.move, self.database, self.edge, self.last = move, database, edge, last
        self.cut_off = cutover.interrupted(last)
        self.opening = self.theirs = False
        # What the file held when its rows were read.
        self.imported = ""

    @property
    def effects(self) -> Mapping[Step, Callable[[], None]]:
        return {
            Step.CHECK: self.check,
            Step.PAGE: self.page,
            Step.STOP: self.stop,
            Step.IMPORT: self.import_,
            Step.SMOKE: self.smoke,
            Step.RELEASE: self.release,
            Step.OPEN: self.open,
            Step.WITHDRAW: self.withdraw,
            Step.EMPTY: self.empty,
            Step.START: self.start,
            Step.CLOSE: self.close,
        }

    def moved(self) -> bool:
        """Run to an end; whether that is the rows in PostgreSQL and the new service open."""
        if self.cut_off:
            self.warn(f"an earlier run was interrupted at `{self.last}`; continuing")
        end = self.execute(cutover.first(self.last))
        if self.lock_lost:
            self.warn("another run has the deploy lock and decides what becomes of this; this one stops")
        elif end is Step.STUCK:
            self.warn(f"stuck: {self._where()}; fix it and run this again")
        return end is Step.MOVED

    def _where(self) -> str:
        if self.opening:
            return "the rows are in PostgreSQL and the new service runs, but is not public yet"
        return "the maintenance page stays, and the old service's file is as it was"

    def after(self, step: Step, event: Event) -> Step:
        return Step.STUCK if self.lock_lost else cutover.following(step, event is Event.OK, self.cut_off)

    def backward(self, step: Step) -> bool:
        return step in cutover.BACKWARD

    def record(self, step: Step) -> None:
        """A journal whose last step is no end is looked at again by the next run."""
        if step is Step.STUCK:
            return
        self.opening = step is Step.OPEN
        text = cutover.line(datetime.now(UTC).isoformat(timespec="milliseconds"), step, self.context.identity.id)
        run(self.database, appended.append_script(cutover.journal_path(self.move.app), text))

    # Forward

    def check(self) -> None:
        """The import's own dry run, beside the service that runs. Also that the target is empty: what is in it is not ours."""
        report = self._import("--dry-run")
        self.say(f"         {_rows(report):,} rows; the import will take about {report['expected_seconds']:.0f} s")

    def page(self) -> None:
        self._route(*self.move.page, self.move.page_routers)

    def stop(self) -> None:
        self._command(self.move.stop, "the old service does not stop")

    def import_(self) -> None:
        self.imported = self._content()
        if cutover.may_be_filled(self.last) and self._kept():
            self.say("         the rows are there already, and equal")
            return
        report = self._import()
        if report["source"].get("changed_since"):
            raise StepFailedError(f"{self.move.file} was written to after it was read: legacy_stop does not stop the old service")
        self.say(f"         {_rows(report):,} rows, equal on both sides; {self.move.project}/work/report.json")

    def _kept(self) -> bool:
        """Whether an earlier run's import is complete; when it is not, PostgreSQL is emptied for this one's."""
        try:
            self._import("--verify-only")
        except StepFailedError:
            self.theirs = False
            self._emptied()
            return False
        return True

    def smoke(self) -> None:
        self._run_once("smoke", "the app's smoke suite fails on the new database")

    def release(self) -> None:
        """Behind the page: the old service's routes go, and each app host gets its replicas."""
        self._unroute(self.move.legacy[0], self.move.legacy_routers)
        for target, release in self.move.releases:
            serving = RouteTable.parse(self._edge_file(release.route.path))
            plan = planned(connected(target), release, serving)
            if not Rollouts(self.context, self.edge, release, plan.todo).on(target):
                raise StepFailedError(f"the release on {target.name} failed: {self.context.failures.first or 'see above'}")
        # The last moment from which there is a way back. Whoever was not stopped may have written since the rows were read.
        if self._content() != self.imported:
            raise StepFailedError(f"somebody has written to {self.move.file} since it was imported: legacy_stop does not stop it")

    def open(self) -> None:
        self._unroute(self.move.page[0], self.move.page_routers)
        release = self.move.releases[0][1]
        for entry in self.context.asked(release.entries):
            deadline = time.monotonic() + CONFIRM_SECONDS
            while (said := _answer(entry, release.observe_path)) != "200":
                if time.monotonic() > deadline:
                    raise StepFailedError(f"https://{entry.domain}{release.observe_path} answers {said}; rows are in PostgreSQL")
                gevent.sleep(0.2)

    # Backward

    def withdraw(self) -> None:
        """The old service is routed to again, still behind the page; then the new one goes."""
        self._route(*self.move.legacy, self.move.legacy_routers)
        for target, release in self.move.releases:
            run(self.edge, f"rm -f {shlex.quote(release.route.path)}")
            ids = f"docker ps -aq --filter label={APP_LABEL}={release.app}"
            run(
                connected(target),
                f"{ids} | xargs -r docker stop --time {release.stop_seconds} >/dev/null\n"
                f"{ids} | xargs -r docker rm --force >/dev/null\n"
                f"rm -rf {shlex.quote(release.directory)} {shlex.quote(release.secrets.parent)}",
                release.stop_seconds + COMMAND_SECONDS,
            )
        self.context.progress.first.clear()

    def empty(self) -> None:
        """What an import of ours has brought goes. What it found in its way is somebody else's, and stays."""
        if not self.theirs:
            self._emptied()

    def start(self) -> None:
        self._command(self.move.start, "the old service does not start")
        ask = f"curl --silent -m 5 -o /dev/null --write-out '%{{http_code}}\\n' {shlex.quote(self.move.upstream)}/"
        deadline = time.monotonic() + ANSWER_SECONDS
        # From the host itself: the upstream's address is one of its own.
        while (said := run(self.database, f"{ask} || true").strip()) in ("000", "502", "503", "504"):
            if time.monotonic() > deadline:
                raise StepFailedError(f"the old service was started and does not answer at {self.move.upstream} ({said})")
            gevent.sleep(0.3)

    def close(self) -> None:
        """The page goes, and what is behind it is the old service again."""
        self._unroute(self.move.page[0], self.move.page_routers)

    # How

    def _content(self) -> str:
        """Digests of the file and of what SQLite keeps beside it; what is empty says nothing, and is made by readers too."""
        names = " ".join(shlex.quote(f"{self.move.file}{suffix}") for suffix in ("", "-wal", "-journal"))
        ask = f'for name in {names}; do test ! -s "$name" || sha256sum <"$name" || exit; done'
        return run(self.database, ask, COMMAND_SECONDS)

    def _emptied(self) -> None:
        """Every table but Alembic's."""
        self._stopped_importing()
        query = (
            "select 'truncate ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' restart identity'"
            " from pg_tables where schemaname = 'public' and tablename <> 'alembic_version'"
        )
        asked = f"{PSQL} -q -d {shlex.quote(self.move.database)}"
        run(self.database, f'set -e\nsql=$({asked} -c {shlex.quote(query)})\n{asked} -c "$sql"', COMMAND_SECONDS)

    def _command(self, command: str, otherwise: str) -> None:
        try:
            run(self.database, command, COMMAND_SECONDS, patience=0)
        except ScriptError as error:
            raise StepFailedError(f"{otherwise}: {cause(str(error))}\n{error}") from None

    def _run_once(self, service: str, otherwise: str) -> None:
        self._command(
            f"docker compose --project-directory {self.move.project} run --rm --quiet-pull -T {service} 2>&1", otherwise
        )

    def _import(self, *options: str) -> dict[str, Any]:
        """Run it in a container of its own, so that it outlives a lost connection; its phases are told as they end."""
        self._stopped_importing()
        name = self.move.container
        decided = [f"--{each}" + (" /work/put-aside" if each == "quarantine-orphans" else "") for each in self.move.decisions]
        source = shlex.quote("/source/" + self.move.file.rpartition("/")[2])
        arguments = " ".join((source, "--work-dir /work --report /work/report.json", *decided, *options))
        run(
            self.database,
            f"rm -f {self.move.project}/work/report.json\ndocker compose --project-directory {self.move.project} run --detach"
            f" --quiet-pull --name {name} import {arguments} >/dev/null",
            COMMAND_SECONDS,
            patience=0,
        )
        code, said = self._ended(name)
        run(self.database, f"docker rm --force {name} >/dev/null")
        found = run(self.database, f"cat {self.move.project}/work/report.json 2>/dev/null || true")
        report: dict[str, Any] = json.loads(found or "{}")
        if code:
            # Nothing was written: the target is not as an import needs it, above all not empty.
            self.theirs = report.get("outcome") == "unready"
            raise StepFailedError(f"{_error_line(said)}\n" + "\n".join(said))
        return report

    def _ended(self, name: str) -> tuple[int, list[str]]:
        """Exit code and all that it said, once it has ended."""
        ask = f"docker inspect --format '{{{{.State.Status}}}} {{{{.State.ExitCode}}}}' {name}; docker logs {name} 2>&1"
        deadline, told = time.monotonic() + IMPORT_SECONDS, 0
        while True:
            status, *said = run(self.database, ask).splitlines()
            for text in said[told:]:
                if text.endswith(" s") and ": " in text:
                    self.say(f"         {text}")
            told = len(said)
            if status.startswith("exited"):
                return int(status.split()[1]), said
            if time.monotonic() > deadline:
                raise StepFailedError(f"the import has not ended within {IMPORT_SECONDS / 3600:g} h")
            gevent.sleep(0.5)

    def _stopped_importing(self) -> None:
        """No import runs any more, not in its container and not in PostgreSQL: one that outlived its run would be in the way."""
        session = "from pg_stat_activity where application_name = 'signupflow-sqlite-import'"
        run(
            self.database,
            f"docker rm --force {self.move.container} >/dev/null 2>&1\n"
            f'{PSQL} -q -d postgres -c "select pg_terminate_backend(pid, 10000) {session}" >/dev/null',
            COMMAND_SECONDS,
        )

    def _edge_file(self, path: str) -> str:
        return run(self.edge, f"cat {shlex.quote(path)} 2>/dev/null || true")

    def _route(self, path: str, content: str, routers: Sequence[str]) -> None:
        run(self.edge, "set -e\n" + file_script(path, content, "0644", 0))
        self._confirmed(routers, "200")

    def _unroute(self, path: str, routers: Sequence[str]) -> None:
        run(self.edge, f"rm -f {shlex.quote(path)}")
        self._confirmed(routers, "404")

    def _confirmed(self, routers: Sequence[str], status: str) -> None:
        """Traefik's API knows these routers (200), or no longer (404)."""
        urls = " ".join(shlex.quote(f"{TRAEFIK}/api/http/routers/{name}@file") for name in routers)
        ask = f"for url in {urls}; do curl --silent -m 5 -o /dev/null --write-out '%{{http_code}}\\n' $url || true; done"
        deadline = time.monotonic() + CONFIRM_SECONDS
        while set(found := run(self.edge, ask).split()) != {status}:
            if time.monotonic() > deadline:
                raise StepFailedError(f"Traefik has not taken up the routes: {' '.join(found)} in the place of {status}")
            gevent.sleep(0.1)


def _rows(report: Mapping[str, Any]) -> int:
    return sum(table["rows"] for table in report["tables"].values())


def _error_line(said: Sequence[str]) -> str:
    return next((text.removeprefix("Error: ") for text in said if text.startswith("Error: ")), cause("\n".join(said)))


def _answer(entry: probe.Entry, path: str) -> str:
    try:
        return str(probe.ask(entry, path)[0])
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
