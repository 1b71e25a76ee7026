"""Nobody locks themselves out: what decides who may connect is in force only once a new connection was made through it."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import Host, State, StringCommand
from pyinfra.api.command import PyinfraCommand

# A run that is killed between the change and the look leaves this much, in seconds, until the host takes the change back.
UNDO_SECONDS = 90
CONNECT_SECONDS = 30


def guarded(name: str, dest: str, undo: str, apply: str) -> Generator[PyinfraCommand]:
    """Put `dest` into effect by `apply`, with what was there at `dest`.before; take it back when no new connection is made.

    `undo` puts into effect what stands at `dest` again, which may be nothing.
    """
    unit = f"signupflow-undo-{name}"
    back = f"if test -f {dest}.before; then mv -f {dest}.before {dest}; else rm -f {dest}; fi; {undo}"
    # A timer of the host's own, for the time in which this connection may be the last one.
    timer = f"systemd-run --quiet --collect --on-active={UNDO_SECONDS} --unit={unit} /bin/sh -c {shlex.quote(back)}"
    stop = f"systemctl stop {unit}.timer 2>/dev/null; true"
    yield StringCommand(f"{stop}; {timer} && {{ {apply}; }}")
    yield LetInAgain(dest, f"{stop}; {back}")
    yield StringCommand(f"{stop}; rm -f {dest}.before")


def keep(dest: str) -> StringCommand:
    """What stands at `dest` stays beside it until what replaces it has let somebody in."""
    return StringCommand(f"if test -f {dest}; then cp -p {dest} {dest}.before; else rm -f {dest}.before; fi")


class LetInAgain(PyinfraCommand):
    """Makes one more connection, as every later run will; when it fails, `undo` runs by the one that is there."""

    def __init__(self, what: str, undo: str) -> None:
        super().__init__()
        self.what, self.undo = what, undo
        self.reason = ""

    def __repr__(self) -> str:
        return f"LetInAgain({self.what})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        try:
            with gevent.Timeout(CONNECT_SECONDS, TimeoutError(f"no answer within {CONNECT_SECONDS} s")):
                connect_once(state, host)
        except Exception as error:  # whatever it is, nobody gets in
            host.run_shell_command(StringCommand(self.undo), **connector_arguments)
            self.reason = f"{self.what} let no new SSH connection in, and was taken back: {error or type(error).__name__}"
            logger.error(f"{host.print_prefix}Error: {self.reason}")
            return False
        return True


def connect_once(state: State, host: Host) -> None:
    """A connection beside the one in use, made in the same way."""
    connector = type(host.connector)(state, host)
    connector.connect()
    client = getattr(connector, "client", None)
    if client is not None:
        client.close()
