"""One deployment: who it is, its lock, what it has switched, why it failed, its probe, and how it ends.

What other runs need to know is on the hosts (lock, journal, ledger); this is only what one process remembers. deploys/ makes
one context for its process and hands it to the operations.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import gevent
from pyinfra.api import Host, State

from operations import output
from operations.lock import DeployLock
from operations.probing import SteadyProbe
from operations.recorder import Recorder
from signupflow import advice, report
from signupflow.closing import Ending, Outcome
from signupflow.probe import Counted, Entry
from signupflow.release import ledger, watch

INTERRUPTED = "interrupted"


class InterruptedDeploymentError(Exception):
    """Somebody ends this deployment: raised in whatever is being done on a host."""


@dataclass(frozen=True)
class Identity:
    """Which deployment this is, for as long as it lasts. `started` is monotonic seconds, `started_at` UTC."""

    id: str
    deployed_by: str
    started: float
    started_at: datetime

    @classmethod
    def new(cls) -> Identity:
        """Deployed by GitHub's actor, or the login that called sudo, or this login."""
        who = os.environ.get("GITHUB_ACTOR") or os.environ.get("SUDO_USER") or getpass.getuser()
        return cls(uuid.uuid4().hex[:12], f"{who}@{socket.gethostname()}", time.monotonic(), datetime.now(UTC))


class Failures:
    """Why this deployment failed: the one record of it, which what pyinfra says of its hosts belongs to."""

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._state: State | None = None

    def follow(self, state: State) -> None:
        """From now on a host that pyinfra gave up is a failure of this deployment, whoever noticed it first."""
        self._state = state

    def add(self, reason: str) -> None:
        self._reasons.append(reason)

    @property
    def reasons(self) -> tuple[str, ...]:
        lost = sorted(host.name for host in self._state.failed_hosts) if self._state is not None else []
        unsaid = [name for name in lost if not any(reason.startswith(f"{name}:") for reason in self._reasons)]
        return (*self._reasons, *(f"{name}: failed; its output is printed above" for name in unsaid))

    @property
    def said(self) -> bool:
        """Whether anybody has said why, beyond that a host failed."""
        return bool(self._reasons)

    @property
    def first(self) -> str:
        return next(iter(self.reasons), "")

    def __bool__(self) -> bool:
        return bool(self.reasons)


@dataclass
class Timings:
    """How long each step of each host took, in seconds, and when."""

    started: float
    by_host: dict[str, dict[str, float]] = field(default_factory=dict)
    spans: list[report.Span] = field(default_factory=list)

    def spent(self, host: str, step: str, seconds: float) -> None:
        """A step of a host has just ended, and took so long."""
        end = time.monotonic() - self.started
        self.spans.append(report.Span(host, step, round(end - seconds, 2), round(end, 2)))
        steps = self.by_host.setdefault(host, {})
        steps[step] = round(steps.get(step, 0.0) + seconds, 2)


@dataclass
class Progress:
    """What has become of hosts in this deployment.

    `switched` is host name to the generation that served there before; `first` served nothing before, so that there is nothing
    to roll back to; `adopted` are runs that were cut off, whose switched hosts are this one's now.
    """

    switched: dict[str, int] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    rolled_back: list[str] = field(default_factory=list)
    adopted: set[str] = field(default_factory=set)
    # Host to the version or versions that its traffic goes to, of those that this deployment worked on.
    serving: dict[str, str] = field(default_factory=dict)
    # How each switched host is rolled back, for an end that no operation of pyinfra's comes to any more.
    ways_back: dict[str, Callable[[], bool]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return bool(self.switched or self.first or self.rolled_back)

    @property
    def left(self) -> list[str]:
        """Switched hosts that are not rolled back yet, the last one first."""
        return [name for name in reversed(self.switched) if name not in self.rolled_back]


class PublicProbe:
    """Asks the public entry steadily while this deployment works."""

    def __init__(self) -> None:
        self._started = False
        self._probe: SteadyProbe | None = None
        self._before: watch.Count | None = None

    def start(self, entry: Entry, path: str, rate: float) -> None:
        """Begin, once in a deployment."""
        if not self._started and rate > 0:
            # Before the process is started: that lets the other hosts' greenlets go on, which come here too.
            self._started = True
            self._probe = SteadyProbe(entry, path, rate)

    def fails(self, limit_percent: float) -> str:
        """Why what it has seen since this was first asked is too bad, or an empty string.

        First asked when the first share of traffic moves: what failed before that is not the release's doing.
        """
        if self._probe is None:
            return ""
        seen = self._probe.count
        if self._before is None:
            self._before = seen
        reason = watch.fails(seen - self._before, self._before, limit_percent)
        return f"of the live traffic check's requests through the public entry, {reason}" if reason else ""

    def finish(self) -> Counted | None:
        return self._probe.finish() if self._probe else None


class DeploymentContext:
    """All that the operations of one deployment share."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.identity = Identity.new()
        self.lock = DeployLock(self.identity.id)
        self.failures = Failures()
        self.progress = Progress()
        self.timings = Timings(self.identity.started)
        self.probe = PublicProbe()
        self.recorder = recorder or Recorder()
        self.keeps_failed = False
        self.interrupted = False
        self.working: set[gevent.Greenlet[..., Any]] = set()
        self.closed = False
        # Domains that got no certificate in this run: nobody can be asked by them.
        self.uncertified: set[str] = set()
        self._done: set[str] = set()

    def healthy(self) -> bool:
        """Whether nothing has failed: the gate of all that must not follow a failure."""
        return not self.failures

    def asked(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The public entry by those domains that have a certificate; by all when none has, since something is wrong then."""
        return [entry for entry in entries if entry.domain not in self.uncertified] or entries

    def once(self, what: str) -> bool:
        """True the first time: pyinfra runs a deploy's file for each host, and some things are the fleet's."""
        first = what not in self._done
        self._done.add(what)
        return first

    def acquire(self, hosts: list[Host], reason: str) -> str:
        """Take the lock on all hosts; who stands in the way, or an empty string."""
        refused = self.lock.acquire(hosts, self.identity.deployed_by, reason)
        return refused.said if refused else ""

    def variables(self, outcome: str = "", failure_reason: str = "", page: str = "") -> Mapping[str, str]:
        """A hook's environment variables, without their prefix: the names are those of the history's JSON."""
        held = self.lock.held_lock
        return {
            "RUN": self.identity.id,
            "KIND": self.recorder.kind,
            "ENVIRONMENT": self.recorder.environment,
            "VERSION": str(self.recorder.release.get("version", "")),
            "IMAGE": str(self.recorder.release.get("image", "")),
            "HOSTS": " ".join(self.lock.hosts),
            "DEPLOYED_BY": self.identity.deployed_by if held else "",
            "REASON": held.reason if held else "",
            "OUTCOME": outcome,
            "FAILURE_REASON": failure_reason,
            "REPORT": page,
        }

    def interrupt(self) -> None:
        """Fail what is being done on hosts: a host in the middle of its rollout goes back, and then nothing follows."""
        for job in list(self.working):
            if not job.dead:
                job.kill(InterruptedDeploymentError("interrupted"), block=False)

    def roll_back_rest(self) -> None:
        """Roll back switched hosts that no operation came to any more: whatever ended the run, traffic goes back."""
        if not self.failures or self.keeps_failed or self.lock.lost:
            return
        for name in self.progress.left:
            way_back = self.progress.ways_back.get(name)
            if way_back is None:
                continue
            try:
                way_back()
            except Exception as error:
                self.failures.add(f"{name}: could not be rolled back: {error}; when it is back: {advice.command('abort')}")

    def close(self) -> None:
        """The end, however it came: roll back what is left, count the probe, write the record, give the lock back."""
        if self.closed:
            return
        self.closed = True
        outcome = INTERRUPTED if self.interrupted else ""
        if not self.interrupted:
            self.roll_back_rest()
        counted = self.probe.finish()
        if self.recorder.kept_on and self.recorder.release and self.lock.held_lock:
            self._record(counted, outcome)
        self._say_last(outcome)
        self.lock.release()

    def _say_last(self, outcome: str) -> None:
        """The last line: what serves where now, or why not. What is no release and went well is told by what changed."""
        progress, serving = self.progress, self.progress.serving
        if outcome == INTERRUPTED:
            back = progress.rolled_back and not progress.left
            output.ended(
                Ending(Outcome.INTERRUPTED, serving, finish=self.recorder.finish, undo="" if back else advice.command("abort"))
            )
        elif self.failures:
            back = progress.rolled_back and not progress.left
            output.ended(Ending(Outcome.ROLLED_BACK if back else Outcome.FAILED, serving, self.failures.first))
        elif self.recorder.outcome == "aborted":
            did = progress.any or progress.adopted
            output.ended(Ending(Outcome.ABORTED if did else Outcome.NOTHING_TO_ABORT, serving))
        elif progress.any:
            seconds = time.monotonic() - self.identity.started
            output.ended(Ending(Outcome.RELEASED, serving, seconds=seconds, kind=self.recorder.kind))

    def _record(self, counted: Counted | None, outcome: str) -> None:
        progress, recorder, held = self.progress, self.recorder, self.lock.held_lock
        if recorder.kept_on is None or held is None or not (recorder.always or progress.any or self.failures or outcome):
            return
        record = ledger.Record(
            run=self.identity.id,
            app=recorder.kept_on[1],
            deployed_by=self.identity.deployed_by,
            reason=held.reason,
            started_at=self.identity.started_at.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self.identity.started, 1),
            outcome=outcome or ("failed" if self.failures else recorder.outcome),
            failure_reason=self.failures.first,
            hosts=(*progress.switched, *progress.first),
            rolled_back=tuple(progress.rolled_back),
            probe=None if counted is None else {"sent": counted.sent, "failed": counted.failed, "p99_ms": counted.p99_ms},
            steps=self.timings.by_host,
            restore_point=recorder.restore_point,
            adopted=tuple(sorted(progress.adopted)),
            kind=recorder.kind,
            serves=dict(progress.serving),
            **recorder.release,
        )
        recorder.keep(
            record, counted, self.timings.spans, lambda page: self.variables(record.outcome, record.failure_reason, page)
        )
