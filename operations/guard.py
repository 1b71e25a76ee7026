"""What stands between pyinfra's engine and a deployment: whatever is raised on a host's way fails that host, and no more.

pyinfra lets an exception of an operation's generator, or of most commands, end the whole run: earlier hosts would keep a
release that failed. Here it becomes a failed command of that host, and the run comes to its end, where traffic goes back.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api import Host, State, StringCommand
from pyinfra.api.command import FunctionCommand, PyinfraCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.state import BaseStateCallback
from pyinfra.connectors.util import CommandOutput, OutputLine

from operations.deployment import DeploymentContext
from operations.failed import Failed
from operations.lock import LockLostError
from operations.remote import said_by

Generate = Callable[[], Iterator[PyinfraCommand]]


def guarded(generate: Generate, fail: Callable[[str], None]) -> Generate:
    """The same commands; whatever generating or executing one raises is a failed command, and why is given to `fail`."""

    def commands() -> Iterator[PyinfraCommand]:
        try:
            for command in generate():
                yield _safe(command, fail)
        except (Exception, gevent.Timeout) as error:
            yield _safe(Failed(_said(error)), fail)

    return commands


def _safe(command: PyinfraCommand, fail: Callable[[str], None]) -> PyinfraCommand:
    if isinstance(command, FunctionCommand) or not isinstance(command, PyinfraCommand):
        return command  # pyinfra takes whatever a function raises; what is no command it names itself
    execute = command.execute

    def safely(state: State, host: Host, connector_arguments: Any) -> Any:
        try:
            result = execute(state, host, connector_arguments)
        except (Exception, gevent.Timeout) as error:
            reason = _said(error)
            fail(f"{host.name}: {reason}")
            if isinstance(command, StringCommand):
                return False, CommandOutput([OutputLine("stderr", reason)])
            logger.error(f"{host.print_prefix}Error: {reason}")
            return False
        reason = getattr(command, "reason", "")
        if result is False and reason:
            fail(reason if getattr(command, "fleet", False) else f"{host.name}: {reason}")
        return result

    setattr(command, "execute", safely)  # noqa: B010 - a method of this one command
    return command


def _said(error: BaseException) -> str:
    """The reason in one line."""
    said = said_by(error)
    return f"cannot be reached: {said}" if isinstance(error, EOFError | OSError | SSHException | ConnectError) else said


class Guard(BaseStateCallback):
    """Follows one run of pyinfra: guards its operations, keeps the lock, and closes the deployment however the run ends."""

    def __init__(self, context: DeploymentContext) -> None:
        self.context = context
        self.signal = 0
        self.executing = False

    def attach(self, state: State) -> None:
        """Once, when pyinfra begins to work on hosts."""
        if any(isinstance(handler, Guard) for handler in state.callback_handlers):
            return
        state.add_callback_handler(self)
        self.context.failures.follow(state)
        signal.signal(signal.SIGINT, self._interrupted)
        signal.signal(signal.SIGTERM, self._interrupted)
        signal.signal(signal.SIGHUP, self._hung_up)

    def operation_start(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        self.executing = True
        if self.signal:
            sys.exit(128 + self.signal)
        try:
            self.context.lock.renew()
        except LockLostError as error:
            self.context.failures.add(str(error))
            raise PyinfraError(str(error)) from None
        for operations in state.ops.values():
            if op_hash in operations:
                operation = operations[op_hash]
                operation.command_generator = guarded(operation.command_generator, self.context.failures.add)

    def operation_host_start(self, state: State, host: Host, op_hash: str) -> None:  # type: ignore[override]
        job = gevent.getcurrent()
        if isinstance(job, gevent.Greenlet):
            self.context.working.add(job)

    def operation_host_error(  # type: ignore[override]
        self, state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        if not self.context.failures.said:
            names = ", ".join(sorted(state.get_op_meta(op_hash).names))
            self.context.failures.add(f"{host.name}: {names} failed; its output is printed above")

    def operation_end(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        if op_hash == state.get_op_order()[-1]:
            self.context.close()

    def host_disconnect(self, state: State, host: Host) -> None:  # type: ignore[override]
        if self.context.closed or not state.is_executing:
            return
        if self.signal:
            self.context.failures.add("interrupted")
            self.context.close()
            return
        if not self.context.failures:
            self.context.failures.add("the run ended before its last step; its output is printed above")
        self.context.close()

    def _interrupted(self, number: int, frame: object) -> None:
        """Ctrl-C, or whoever supervises this. A second one does not wait for anything."""
        if self.signal:
            os._exit(128 + number)
        self.signal = number
        self.context.interrupted = True
        if not self.executing:
            sys.exit(128 + number)
        logger.warning("--> Interrupted: a host in the middle of its rollout goes back first; once more ends this at once")
        gevent.spawn(self.context.interrupt)

    def _hung_up(self, number: int, frame: object) -> None:
        """The terminal is gone: nobody reads on, and the run goes on to its end."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
