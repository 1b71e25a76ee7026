"""What pyinfra prints, for people: what does not change is silent, and the last line says how the run ended.

pyinfra prints two lines for each operation on each host, a row for each in two tables, and "Disconnecting from hosts..." at
the end. Its records are recognised by the function that made them (LogRecord.funcName), not by their words. With -v nothing is
held back.
"""

from __future__ import annotations

import atexit
import functools
import logging
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn

import click
import gevent
from pyinfra import logger
from pyinfra.api import State
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state

from signupflow import closing
from signupflow.closing import Ending

# Function of pyinfra to what it writes when it has nothing to tell.
SILENT = {
    "_prepare_deploy_operations": "",
    "load_deploy_file": "",
    "load_file": "",
    "run_host_op": "Skipped",
    "_run_host_op": "No changes",
    # How many commands went before the one that failed tells nobody why; and when every host has failed, each has said why.
    "log_error_or_warning": r"executed \d+ commands$",
    "show": "No hosts remaining!",
}
INTERRUPTED = 130
# What takes longer is named while it runs, whether it changes anything or not.
LONG_SECONDS = 3.0


@dataclass
class Closing:
    """The last line of this process. The first error stays; what went well gives way to it."""

    text: str = ""
    failed: bool = False
    ended_by: BaseException | None = None

    def error(self, reason: str) -> None:
        if not self.failed:
            self.text, self.failed = reason, True

    def success(self, text: str) -> None:
        if not self.failed:
            self.text = text

    def styled(self) -> str:
        return f"{click.style('Error:', fg='red', bold=True)} {self.text}" if self.failed else click.style(self.text, bold=True)


@functools.cache
def last() -> Closing:
    """The last line of this process."""
    return Closing()


def error(reason: str) -> None:
    """End with this line, whatever is printed until then: what, where, what to do."""
    last().error(reason)


def ended(ending: Ending) -> None:
    """End with what serves where now, or why not."""
    (last().error if ending.failed else last().success)(ending.line())


def shape() -> None:
    """Called by config.py, before the inventory is read and before any connection."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    if context.params.get("operations") and not all(str(name).endswith(".py") for name in context.params["operations"]):
        # `pyinfra inventory.py fact ...` and the like are pyinfra's own, and print what they are asked for.
        return
    quiet = not any(context.params.get(flag) for flag in ("verbosity", "debug", "debug_all"))
    for handler in logger.handlers:
        handler.addFilter(Changes(handler, quiet))
    signal.signal(signal.SIGINT, _interrupted)
    atexit.register(_say, dry=bool(context.params.get("dry")))


def _interrupted(signum: int, frame: FrameType | None) -> NoReturn:
    """Somebody's Ctrl-C. pyinfra itself would end with exit code 0, as if all were done."""
    sys.exit(INTERRUPTED)


def _say(dry: bool) -> None:
    said = last()
    if not said.text and ctx_state.isset() and ctx_state.get().initialised:
        _judge(ctx_state.get(), said, dry)
    if said.text:
        click.echo(f"\n{said.styled()}", err=True)


def _judge(state: State, said: Closing, dry: bool) -> None:
    """The last line of a run whose operations left none."""
    if isinstance(said.ended_by, (SystemExit, KeyboardInterrupt)) and getattr(said.ended_by, "code", INTERRUPTED) == INTERRUPTED:
        said.error(f"Interrupted. {closing.changed(_done(state, 'changed'))}")
    elif failures := _failed(state):
        said.error(closing.failed_on(failures, _done(state, "changed")))
    elif state.failed_hosts:
        names = closing.hosts([item.name for item in state.inventory if item in state.failed_hosts])
        said.error(f"{names} failed; the reason is printed above. {closing.changed(_done(state, 'changed'))}")
    elif not _well(said.ended_by):
        # pyinfra wraps what was raised; its wrapping is printed above.
        raised = getattr(said.ended_by, "exception", said.ended_by)
        said.error(f"{' '.join(str(raised).split()) or type(raised).__name__}. {closing.changed(_done(state, 'changed'))}")
    elif not state.get_op_order():
        # A deploy that only looks has printed what it saw.
        return
    elif dry:
        said.success(closing.would_change(_done(state, "would")))
    elif state.current_stage < StateStage.Execute:
        said.success("Not confirmed. Nothing changed.")
    else:
        said.success(closing.changed(_done(state, "changed")))


def _well(ended_by: BaseException | None) -> bool:
    """Whether pyinfra's program came to its end, by its own exit with code 0."""
    return isinstance(ended_by, SystemExit) and not ended_by.code


def _done(state: State, what: str) -> dict[str, int]:
    """Host to how many operations `changed` something there, or `would`."""
    return {
        item.name: sum(_outcome(data, what) for data in state.ops[item].values())
        for item in state.inventory
        if item in state.activated_hosts
    }


def _outcome(data: Any, what: str) -> bool:
    meta = data.operation_meta
    if what == "changed":
        return bool(meta.is_complete() and meta.did_succeed(_raise_if_not_complete=False) and meta.did_change())
    # Conditional ones too: a release's steps go on only while nothing has failed.
    return bool(meta._maybe_is_change)


def _failed(state: State) -> dict[str, list[str]]:
    """Host to the names of the operations that failed there."""
    found: dict[str, list[str]] = {}
    for item in state.inventory:
        for op_hash, data in state.ops[item].items():
            meta = data.operation_meta
            if meta.is_complete() and not meta.did_succeed(_raise_if_not_complete=False):
                found.setdefault(item.name, []).extend(sorted(state.get_op_meta(op_hash).names))
    return found


@dataclass(eq=False)
class Changes(logging.Filter):
    """Holds back what did not change. An operation's header waits until a host has more to say than "No changes"."""

    handler: logging.Handler
    quiet: bool
    header: logging.LogRecord | None = None
    rows: Iterator[bool] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        super().__init__()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.funcName == "cli" and record.module == "cli":
            # "Disconnecting from hosts...", in the `finally` of pyinfra's program: the one place that knows how it ended.
            last().ended_by = sys.exc_info()[1]
            if not _well(last().ended_by):
                self._name()
            return not self.quiet
        if not self.quiet:
            return True
        if record.funcName == "_main":
            # pyinfra's next section: what waits here has said nothing.
            self.header = None
            return True
        if not self._tells(record):
            return False
        self._name()
        return True

    def _name(self) -> None:
        """Print the header that waits, if one does."""
        held, self.header = self.header, None
        if held is not None:
            self.handler.emit(held)

    def _late(self, record: logging.LogRecord) -> None:
        if self.header is record:
            self._name()

    def _tells(self, record: logging.LogRecord) -> bool:
        """Whether the line says something that somebody waits for."""
        where, text = record.funcName or "", str(record.msg)
        if where == "log_operation_start":
            self.header = record
            gevent.spawn_later(LONG_SECONDS, self._late, record)
            return False
        if where == "print_rows":
            return self._row(text)
        return where not in SILENT or not re.search(SILENT[where], text)

    def _row(self, text: str) -> bool:
        """A row of pyinfra's tables: its heading, what would change, and at the end what failed and the total."""
        if text.startswith("Operation "):
            self.rows = iter(_rows(ctx_state.get()))
            return True
        return next(self.rows, True)


def _rows(state: State) -> list[bool]:
    """For each operation in order, whether its row is shown. What changed has been printed as it did."""
    order = state.get_op_order()
    if state.current_stage < StateStage.Execute:
        return [any(_outcome(ops[op_hash], "would") for ops in state.ops.values() if op_hash in ops) for op_hash in order]
    failed = {name for names in _failed(state).values() for name in names}
    return [bool(failed & state.get_op_meta(op_hash).names) for op_hash in order]
