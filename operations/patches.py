"""What of pyinfra's program behaves otherwise here, each with its reason. Applied by config.py, before anything else.

pyinfra 3.10 has no setting for these. Each names what it replaces, and fails loudly when a later version no longer has it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import paramiko.file
import pyinfra.api.host as pyinfra_host
import pyinfra.connectors.util as connectors
from gevent.local import local
from pyinfra.api import Host, State, StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state

from operations.remote import forget

_reading = local()


class FactFailedError(PyinfraError):
    """A fact could not be read: what it would have said is unknown, which is not the same as nothing."""


_applied: list[bool] = []


def applied() -> bool:
    """Whether config.py was read: pyinfra goes on without it when it is called in another folder, or with another --config."""
    return bool(_applied)


def apply() -> None:
    """Once in a process."""
    if _applied:
        return
    _applied.append(True)
    program = sys.modules["pyinfra_cli.cli"]  # it runs this; whoever imports it has Python patched for gevent
    _replace(program, "_set_fail_prompts", lambda original: _no_fail_prompts)
    _replace(program, "_do_confirm", _confirming)
    _replace(paramiko.file, "u", lambda original: _as_text)
    _replace(State, "fail_hosts", _failing_hosts)
    _replace(pyinfra_host, "get_fact", _getting_facts)
    _replace(connectors, "getpass", _asking_for_passwords)
    _replace(connectors, "make_unix_command", _with_usual_modes)


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    if not hasattr(owner, name):
        raise RuntimeError(f"this version of pyinfra has no {name}: use the one that requirements/ pin")
    setattr(owner, name, make(getattr(owner, name)))


def _no_fail_prompts(state: State, config: Any) -> None:
    """A host that fails asks nobody: without -y a run would wait for Enter with traffic on a release that failed.

    The one question of a run stands before its first change.
    """


def _confirming(original: Callable[[str], bool]) -> Callable[[str], bool]:
    def confirm(message: str) -> bool:
        try:
            return original(message)
        except (EOFError, KeyboardInterrupt):
            click.echo("\nNothing was changed.", err=True)
            sys.exit(1)

    return confirm


def _asking_for_passwords(original: Callable[[str], str]) -> Callable[[str], str]:
    def ask(prompt: str) -> str:
        if ctx_state.get().is_executing or not sys.stdin.isatty():
            raise PyinfraError("sudo asks for a password there; let this login use it without one (deploys/bootstrap.py does)")
        return original(prompt)

    return ask


def _with_usual_modes(original: Callable[..., StringCommand]) -> Callable[..., StringCommand]:
    """A hardened host's umask (027) is its logins': directories that containers read would be closed to them."""

    def make(command: StringCommand, *args: Any, **kwargs: Any) -> StringCommand:
        return original(StringCommand("umask 022;", command), *args, **kwargs)

    return make


def _as_text(data: bytes | str, encoding: str = "utf8") -> str:
    """Output of hosts is whatever it is: a byte that is no UTF-8 must not end the reading of it."""
    return data.decode(encoding, "replace") if isinstance(data, bytes) else data


def _failing_hosts(original: Callable[..., None]) -> Callable[..., None]:
    def fail_hosts(self: State, hosts_to_fail: Any, activated_count: int | None = None) -> None:
        if getattr(_reading, "fact", ""):
            raise FactFailedError(_reading.fact)
        original(self, hosts_to_fail, activated_count)

    return fail_hosts


def _getting_facts(original: Callable[..., Any]) -> Callable[..., Any]:
    """While operations run, a fact that fails is read once more by a new connection, and then fails the operation that asked.

    pyinfra would mark the host as failed and go on with the fact's default, as if nothing were there.
    """

    def get_fact(state: State, host: Host, cls: Any, *args: Any, **kwargs: Any) -> Any:
        if state.current_stage != StateStage.Execute:
            return original(state, host, cls, *args, **kwargs)
        before = getattr(_reading, "fact", "")
        _reading.fact = f"{host.name}: the fact {cls.__name__} could not be read; its output is printed above"
        try:
            try:
                return original(state, host, cls, *args, **kwargs)
            except FactFailedError:
                forget(host)
                return original(state, host, cls, *args, **kwargs)
        finally:
            _reading.fact = before

    return get_fact
