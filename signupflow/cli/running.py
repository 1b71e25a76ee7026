"""How a verb runs pyinfra: which command it is, that it is shown, and what is left of its output when only the result matters."""

from __future__ import annotations

import functools
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from signupflow import advice
from signupflow.errors import OperatorError
from signupflow.host_names import split

ROOT = Path(__file__).resolve().parents[2]
PYINFRA = str(Path(sys.executable).with_name("pyinfra"))
LAST_LINES = 12


@dataclass(frozen=True)
class Target:
    """Which environment, and what this run overrides. `words` are pyinfra's own options, passed on as they are."""

    inventory: str
    data: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def command(self, deploy: str, *words: str, **data: Any) -> list[str]:
        """pyinfra's command for `deploys/<deploy>.py`."""
        pairs = [f"{name}={value}" for name, value in data.items() if value not in (None, "")]
        options = [word for pair in (*pairs, *self.data) for word in ("--data", pair)]
        limits = [word for name in self.limit for word in ("--limit", name)]
        return ["pyinfra", self.inventory, f"deploys/{deploy}.py", *words, *self.words, *limits, *options]


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--inventory`, `--data` and `--limit`, given to the verb as one Target."""

    @click.option(
        "--inventory",
        "-i",
        default="inventory.py",
        show_default=True,
        envvar="SIGNUPFLOW_INVENTORY",
        help="The environment's inventory.",
    )
    @click.option("--data", multiple=True, metavar="NAME=VALUE", help="A setting for this run; repeatable.")
    @click.option("--limit", multiple=True, metavar="HOST[,HOST]", help="These hosts or groups only: a,b or repeated.")
    @functools.wraps(command)
    def wrapped(*args: Any, inventory: str, data: tuple[str, ...], limit: tuple[str, ...], **rest: Any) -> Any:
        here = Path(inventory)
        path = str(here.resolve()) if here.exists() and here.resolve() != ROOT / inventory else inventory
        advice.of(path)
        return command(*args, target=Target(path, data, split(limit)), **rest)

    return wrapped


def changing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`, `--dry`, `--diff` and `--verbose`, given to the verb as pyinfra's words. A dry run shows differences anyway."""

    @click.option("--yes", "-y", is_flag=True, help="Do not ask before the first change.")
    @click.option("--dry", is_flag=True, help="Show what would change, line by line; touch nothing.")
    @click.option("--diff", is_flag=True, help="Show the lines of files that change; --dry always does.")
    @click.option("--verbose", "-v", is_flag=True, help="Show what does not change as well.")
    @functools.wraps(command)
    def wrapped(*args: Any, yes: bool, dry: bool, diff: bool, verbose: bool, **rest: Any) -> Any:
        if dry and yes:
            raise OperatorError("--dry touches nothing, so there is nothing that --yes could answer; leave one of them out")
        flags = {"--dry": dry, "-y": yes, "--diff": dry or diff, "-v": verbose}
        return command(*args, words=tuple(flag for flag, given in flags.items() if given), **rest)

    return wrapped


def shown(command: Sequence[str]) -> None:
    click.echo(click.style(f"$ {shlex.join(command)}", dim=True), err=True)


def executable(command: Sequence[str]) -> list[str]:
    """The same with this virtual environment's pyinfra."""
    return [PYINFRA if word == "pyinfra" and not index else word for index, word in enumerate(command)]


def execute(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Show a command, run it on this terminal, and end with its exit code when that is not 0."""
    shown(command)
    code = _to_its_end(executable(command), environment)
    if code:
        sys.exit(code)


def _to_its_end(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """The exit code of a command that is left alone when somebody interrupts it.

    A terminal sends Ctrl-C to both: the command leads traffic back and says how things stand, and this waits for it
    (`subprocess.run` kills it after a quarter of a second). A SIGTERM or SIGHUP comes to this alone, and is passed on.
    """
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})}) as process:
        before = {signal.SIGINT: signal.signal(signal.SIGINT, _left_to_the_command)}
        for number in (signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.signal(number, lambda number, _: process.send_signal(number))
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _left_to_the_command(number: int, frame: FrameType | None) -> None:
    """Nothing: the command has had the same signal."""


def result_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """The same, with what pyinfra says on the way held back; when it fails, why is shown."""
    shown(command)
    done = subprocess.run(
        executable(command),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
        click.echo("\n".join(errors or done.stderr.splitlines()[-LAST_LINES:]), err=True)
        sys.exit(done.returncode)
