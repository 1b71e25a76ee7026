"""The one way in which steps on hosts are done: a rollout of a host, and the cutover from SQLite.

A state machine says which step follows; this does them one by one. Before each, a line goes into a journal on a host and the
deploy lock is renewed. Each is timed. Whatever is raised makes the step a failed one, so that the machine's way back is taken:
there is no list of exceptions that are expected.
"""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Generic, TypeVar

import gevent
from pyinfra import logger

from operations.deployment import DeploymentContext, InterruptedDeploymentError
from operations.lock import LockLostError
from operations.remote import ScriptError
from signupflow.release.rollout import Event

S = TypeVar("S", bound=StrEnum)

# A step of the way back is tried again: it can be repeated, and there is no way back from it.
BACKWARD_TRIES = 3
RETRY_SECONDS = 1.0


class StepFailedError(Exception):
    """A step's own judgement: the first line is the reason, further lines are what containers said."""


class Executor(ABC, Generic[S]):
    """Runs a state machine from a step to an end. `label` stands before each line; `renewing` are hosts whose lock is renewed."""

    ends: Collection[S]

    def __init__(self, context: DeploymentContext, host: str, label: str, renewing: tuple[str, ...]) -> None:
        self.context, self.host_name, self.label, self.renewing = context, host, label, renewing
        self.lock_lost = False
        self.reason = ""
        self.started = time.monotonic()

    @property
    @abstractmethod
    def effects(self) -> Mapping[S, Callable[[], Event | None]]:
        """What each step does; None is OK."""

    @abstractmethod
    def after(self, step: S, event: Event) -> S:
        """The step that follows."""

    @abstractmethod
    def backward(self, step: S) -> bool:
        """Whether a step is on the way back, which does not wait for a host that cannot be reached."""

    @abstractmethod
    def record(self, step: S) -> None:
        """The journal's line of a step that begins."""

    def optional(self, step: S) -> bool:
        """Whether a failure of this step takes nothing away from what was reached."""
        return False

    def describe(self, step: S) -> str:
        """A step in the line that says it begins."""
        return str(step)

    def named(self, step: S) -> str:
        """A step in the reason of its failure."""
        return str(step)

    def execute(self, step: S) -> S:
        """Run to an end and return it. An end without its line in the journal is looked at again by the next run."""
        while step not in self.ends:
            event, tries = self._one(step), 1
            while event is Event.FAILED and self.backward(step) and tries < BACKWARD_TRIES and not self.lock_lost:
                gevent.sleep(RETRY_SECONDS)
                event, tries = self._one(step), tries + 1
            step = self.after(step, event)
        self._recorded(step)
        return step

    def say(self, text: str) -> None:
        logger.info(f"{self.label}{text}")

    def warn(self, text: str) -> None:
        logger.warning(f"{self.label}{text}")

    def _one(self, step: S) -> Event:
        started = time.monotonic()
        try:
            # Side by side, for each costs a round trip; the step itself begins when both are done.
            recorded = gevent.spawn(self._recorded, step)
            self.context.lock.renew(now=self.renewing)
            unrecorded = recorded.get()
            if unrecorded is not None and not self.backward(step):
                raise unrecorded
            return self.effects[step]() or Event.OK
        except (Exception, gevent.Timeout) as error:  # whatever it is, the way back must be taken
            if self.optional(step) and not isinstance(error, LockLostError):
                self.warn(f"{step}: {str(error) or type(error).__name__}; the next run does this again")
                return Event.OK
            self._failed(step, error)
            return Event.FAILED
        finally:
            self.context.timings.spent(self.host_name, str(step), time.monotonic() - started)

    def _failed(self, step: S, error: BaseException) -> None:
        self.lock_lost = self.lock_lost or isinstance(error, LockLostError)
        first, _, rest = (str(error) or type(error).__name__).partition("\n")
        if not isinstance(error, StepFailedError | ScriptError | InterruptedDeploymentError):
            # Nobody foresaw it: what it is, and where it came from.
            first, rest = f"{type(error).__name__}: {first}", "".join(traceback.format_exception(error))
        reason = f"{self.host_name}: {self.named(step)} failed: {first}"
        self.reason = self.reason or reason
        self.context.failures.add(reason)
        logger.error(f"{self.label}Error: {step}: {first}")
        for line in rest.splitlines():
            self.warn(f"    {line}")

    def _recorded(self, step: S) -> BaseException | None:
        """One line for the operator, and one in the journal; the error when that could not be written.

        A run that has lost its lock writes nothing more: the journal is its successor's.
        """
        self.say(f"{time.monotonic() - self.started:6.1f} s  {self.describe(step)}")
        if self.lock_lost:
            return None
        try:
            self.record(step)
        except (Exception, gevent.Timeout) as error:
            return error
        return None
