"""This run of a deploy, as the operations share it: its lease, what it has switched, its probe, and how it ends.

What other runs need to know is on the hosts (lease, journal, ledger); this is only what one process remembers.
"""

from __future__ import annotations

import functools
import getpass
import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback

from operations import output
from operations.hooks import called
from operations.probing import SteadyProbe
from operations.remote import ScriptError, run
from signupflow import notify, report
from signupflow.channels import Channels
from signupflow.probe import Counted, Entry
from signupflow.release import lease, ledger, watch
from signupflow.release.ledger import RELEASED

# A host's lease is renewed when it is older than this, in seconds; far less than any lease lasts.
RENEW_AFTER = 20.0
REPORTS = Path(__file__).resolve().parent.parent / "reports"

Lease = lease.Lease


class LeaseLostError(ScriptError):
    """Another run has the lease: this one was out of touch for longer than its lease lasted, and must not go on."""


def _process() -> str:
    """This process as no other: machine, boot, pid namespace, pid and its start in ticks since that boot (proc(5), field 22)."""
    return " ".join((*_here(), str(os.getpid()), _started(os.getpid())))


def _here() -> tuple[str, str, str]:
    """Machine, boot and namespace of process ids: a pid means something only within all three."""
    identity = Path("/etc/machine-id")
    machine = identity.read_text().strip() if identity.is_file() else ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return machine or socket.gethostname(), boot, os.readlink("/proc/self/ns/pid").removeprefix("pid:")


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def ended(process: str) -> bool:
    """Whether a process is known to have ended: it ran on this machine and this boot's is another, or its pid is no more.

    Of a process of another machine, or of another container on this one, nothing is known.
    """
    parts = process.split()
    machine, boot, namespace = _here()
    if len(parts) != 5 or parts[0] != machine:
        return False
    if parts[1] != boot:
        return True
    return parts[2] == namespace and _started(int(parts[3])) != parts[4]


@dataclass
class Run:
    """One process's run. `switched` is host name to the generation that served there before this run's turn."""

    identity: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    began: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    lease: Lease | None = None
    leased: dict[str, tuple[Host, float]] = field(default_factory=dict)
    switched: dict[str, int] = field(default_factory=dict)
    # Hosts that served nothing before: recorded with the others, but there is nothing to take them back to.
    first: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    ledger: tuple[Host, str] | None = None
    release: dict[str, Any] = field(default_factory=dict)
    restore_point: str = ""
    kind: str = "release"
    outcome: str = RELEASED
    adopted: set[str] = field(default_factory=set)
    plan_printed: bool = False
    environment: str = ""
    channels: Channels = field(default_factory=Channels)
    hook_after: str = ""
    version_before: str = ""
    spans: list[report.Span] = field(default_factory=list)
    worked: bool = False
    _probing: bool = False
    _probe: SteadyProbe | None = None
    _probed_before: watch.Count | None = None
    _closed: bool = False

    def acquire(self, hosts: Sequence[Host], reason: str, seconds: int) -> Lease | None:
        """Take the lease on all hosts in this order; on a refusal give all back and return the one that stands in the way."""
        owner = f"{_owner()}@{socket.gethostname()}"
        self.lease = Lease(self.identity, owner, reason, _process(), seconds)
        for host in hosts:
            refused = self._acquire(host)
            if refused is not None:
                self.give_back()
                return refused
            self.leased[host.name] = (host, time.monotonic())
        return None

    def _acquire(self, host: Host) -> Lease | None:
        assert self.lease
        gone: tuple[str, ...] = ()
        for _ in range(2):
            said = run(host, lease.acquire_script(self.lease, gone))
            if not said.startswith(lease.REFUSED):
                return None
            found = lease.parse(said)
            if found is None or not ended(found.process):
                return found or Lease("?", "somebody", "unknown", "", 0)
            logger.warning(f"[{host.name}] the lease of {found.owner} ({found.reason}) is taken over: its process has ended")
            gone = (found.run,)
        return found

    def renew(self, *, now: Sequence[str] = ()) -> None:
        """Lengthen the lease where it is due, and on the hosts named `now`; raise LeaseLostError when it is somebody else's."""
        if self.lease is None:
            return
        moment = time.monotonic()
        due = [host for name, (host, at) in self.leased.items() if name in now or moment - at > RENEW_AFTER]
        jobs = [gevent.spawn(_renewed, host, self.lease) for host in due]
        for host, job in zip(due, jobs, strict=True):
            job.join()
            found = job.value
            if isinstance(found, Lease):
                raise LeaseLostError(f"the lease on {host.name} is now held by {found.said}; this run stops")
            if found:
                self.leased[host.name] = (host, time.monotonic())

    def give_back(self) -> None:
        """Return the lease everywhere. A host that cannot be reached keeps it until it runs out."""
        for name, (host, _) in list(self.leased.items()):
            try:
                run(host, lease.return_script(self.identity), patience=5)
            except ScriptError as error:
                logger.warning(f"[{name}] the lease was not given back and runs out by itself: {error}")
            del self.leased[name]

    def fail(self, reason: str) -> None:
        """Remember why this run failed; the first reason is what its last line says."""
        self.failures.append(reason)

    def start_probe(self, entry: Entry, path: str, rate: float) -> None:
        """Begin to ask the public entry steadily, once in a run; `close` counts."""
        if not self._probing and rate > 0:
            # Before the process is started: that lets the other hosts' greenlets go on, which come here too.
            self._probing = True
            self._probe = SteadyProbe(entry, path, rate)

    def probe_fails(self, limit_percent: float) -> str:
        """Why what the probe has seen since this was first asked is too bad, or an empty string.

        First asked when the first share of traffic moves: what failed before that is not the release's doing.
        """
        if self._probe is None:
            return ""
        seen = self._probe.count
        if self._probed_before is None:
            self._probed_before = seen
        reason = watch.fails(seen - self._probed_before, self._probed_before, limit_percent)
        return f"of the probe's requests through the public entry, {reason}" if reason else ""

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """The end of the run, however it came: count the probe, write the record, say what failed, give the lease back."""
        if self._closed:
            return
        self._closed = True
        counted = self._probe.finish() if self._probe else None
        if self.release and (self.worked or self.switched or self.first or self.taken_back or self.failures):
            self._record(counted)
        for reason in self.failures[:1]:
            output.error(reason)
        self.give_back()

    def _record(self, counted: Counted | None) -> None:
        if self.ledger is None or self.lease is None:
            return
        host, app = self.ledger
        record = ledger.Record(
            run=self.identity,
            app=app,
            owner=self.lease.owner,
            reason=self.lease.reason,
            began=self.began_at.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self.began, 1),
            outcome="failed" if self.failures else self.outcome,
            why=self.failures[0] if self.failures else "",
            hosts=(*self.switched, *self.first),
            taken_back=tuple(self.taken_back),
            probe=None if counted is None else {"sent": counted.sent, "failed": counted.failed, "p99_ms": counted.p99_ms},
            steps=self.seconds,
            restore_point=self.restore_point,
            adopted=tuple(sorted(self.adopted)),
            kind=self.kind,
            **self.release,
        )
        try:
            run(host, ledger.append_script(record))
        except ScriptError as error:
            logger.warning(f"[{host.name}] the record was not written: {error}")
        page = self._report(record, counted)
        for problem in notify.send(record, self.environment, self.channels):
            logger.warning(f"a notification was not sent: {problem}")
        if self.hook_after and (problem := called("after", self.hook_after, self.variables(record.outcome, record.why, page))):
            logger.warning(problem)

    def variables(self, outcome: str = "", why: str = "", page: str = "") -> dict[str, str]:
        """What hooks are told of this run."""
        return {
            "RUN": self.identity,
            "KIND": self.kind,
            "ENVIRONMENT": self.environment,
            "VERSION": str(self.release.get("version", "")),
            "IMAGE": str(self.release.get("image", "")),
            "HOSTS": " ".join(self.leased),
            "OWNER": self.lease.owner if self.lease else "",
            "REASON": self.lease.reason if self.lease else "",
            "OUTCOME": outcome,
            "WHY": why,
            "REPORT": page,
        }

    def spent(self, host: str, step: str, seconds: float) -> None:
        """A step of a host has just ended, and took so long."""
        end = time.monotonic() - self.began
        self.spans.append(report.Span(host, step, round(end - seconds, 2), round(end, 2)))
        of_host = self.seconds.setdefault(host, {})
        of_host[step] = round(of_host.get(step, 0.0) + seconds, 2)

    def _report(self, record: ledger.Record, counted: Counted | None) -> str:
        """For people, on this machine; the page's path. A disk that takes no file does not fail a release that is over."""
        failures = tuple(counted.failures) if counted else ()
        made = report.Report(record, self.environment, self.version_before, tuple(self.spans), failures)
        try:
            page = report.write(made, REPORTS)
        except OSError as error:
            logger.warning(f"the report was not written: {error}")
            return ""
        logger.info(f"--> Report: {page.relative_to(REPORTS.parent)}")
        return str(page)


def _renewed(host: Host, held: Lease) -> Lease | bool:
    """Another's lease when it was lost, True when it was renewed, False when the host could not be asked now."""
    try:
        said = run(host, lease.renew_script(held), patience=0)
    except ScriptError:
        return False
    if said.startswith(lease.LOST):
        return lease.parse(said) or Lease("?", "nobody (it was taken away)", "deploys/unlock.py", "", 0)
    return True


def _owner() -> str:
    """Who deploys: GitHub's actor, or the login that called sudo, or this login."""
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("SUDO_USER") or getpass.getuser()


@functools.cache
def current() -> Run:
    """The run of this process."""
    return Run()


class AtEnd(BaseStateCallback):
    """Closes the run after its last operation; after a failure that left no host, when pyinfra disconnects."""

    @staticmethod
    def operation_start(state: State, op_hash: str) -> None:
        try:
            current().renew()
        except LeaseLostError as error:
            current().fail(str(error))
            raise PyinfraError(str(error)) from None

    @staticmethod
    def operation_host_error(state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0) -> None:
        if not current().failures:
            names = ", ".join(sorted(state.get_op_meta(op_hash).names))
            current().fail(f"{host.name}: {names} failed; what it printed stands above")

    @staticmethod
    def operation_end(state: State, op_hash: str) -> None:
        if op_hash == state.get_op_order()[-1]:
            current().close()

    @staticmethod
    def host_disconnect(state: State, host: Host) -> None:
        if not current().closed and not current().failures:
            # Somebody's Ctrl-C, or a fault of this program. Nothing is recorded: `deploys/abort.py` can still undo it.
            current().fail("the run was interrupted; run it again, or deploys/abort.py")
            current().release = {}
        current().close()
