"""A release in small, in the place of containers: a file says what serves. What happens on web2 is said by ENGINE_FAULT."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from pyinfra import host, inventory, state
from pyinfra.api import FactBase, Host, State, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from operations.deployment import DeploymentContext
from operations.recorder import Recorder

FAULT = os.environ.get("ENGINE_FAULT", "")


class Noted(Recorder):
    """Keeps the record where the test reads it."""

    def keep(self, record: Any, counted: Any, spans: Any, variables: Any) -> None:
        with (Path(os.environ["ENGINE_FOLDER"]) / "record.jsonl").open("a") as file:
            file.write(record.line() + "\n")


@functools.cache
def context() -> DeploymentContext:
    return DeploymentContext(Noted())


class Version(FactBase[str]):
    """What serves on a host. On web2 it fails once with the fault `fact`, and for good with `facts`."""

    def command(self) -> str:
        fails = 'test "$THIS_HOST" != web2 || test -e once || { touch once; exit 1; }; ' if FAULT == "fact" else ""
        fails = 'test "$THIS_HOST" != web2 || exit 1; ' if FAULT == "facts" else fails
        return f'{fails}cat "$THIS_HOST.version" 2>/dev/null || echo 1.0'

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return output[0]


class Does(PyinfraCommand):
    """Calls something on this machine."""

    def __init__(self, what: Callable[[], object]) -> None:
        super().__init__()
        self.what = what

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        self.what()
        return True


def back(name: str) -> bool:
    target = inventory.get_host(name)
    done, _ = target.run_shell_command(StringCommand(f"echo 1.0 > {name}.version"))
    context().progress.rolled_back.append(name)
    return bool(done)


@operation()
def switch() -> Generator[PyinfraCommand]:
    name, target = host.name, inventory.get_host(host.name)
    found = host.get_fact(Version) if state.is_executing else "1.0"
    if name == "web2" and state.is_executing:
        if FAULT == "generator":
            raise KeyError("Config")
        if FAULT in ("fails", "ended"):
            yield StringCommand("exit 3")
    if found != "1.0":
        yield StringCommand("exit 4")
    yield StringCommand(f"echo 2.0 > {name}.version")

    def switched() -> None:
        context().progress.switched[name] = 1
        context().progress.serving[name] = "2.0"
        context().progress.ways_back[name] = lambda: back(name)
        if name == "web1" and FAULT == "lost":
            target.run_shell_command(StringCommand("touch web2.away"))
        if name == "web2" and FAULT == "waits":
            target.run_shell_command(StringCommand("touch waiting; sleep 30"))

    yield Does(switched)


@operation()
def roll_back() -> Generator[PyinfraCommand]:
    if not context().failures or host.name not in context().progress.switched:
        host.noop("nothing to roll back")
        return
    name = host.name
    yield Does(lambda: back(name))
