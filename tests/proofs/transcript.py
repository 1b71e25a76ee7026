"""A transcript of a terminal, replayed: its commands are run, what they print is compared, what was typed is typed.

    $ COMMAND \\           a command; a backslash at the end of a line continues it
        AND MORE
    what it prints         `...` within a line is any text, a line of `...` any lines, {name} a known value
    Question: «answer»     what is typed when the question stands there; «*answer» is typed unseen
    [exit 1]               how it ends, when not by 0
    # REMARK               for readers

How many spaces there are, colours and cursor movements are not compared.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
TYPED = re.compile(r"«(\*?)([^»]*)»")
EXIT = re.compile(r"\[exit (\d+)\]")
COLUMNS = 250


@dataclass(frozen=True)
class Step:
    """One command with what it prints, known values filled in."""

    command: str
    lines: tuple[str, ...]
    exit: int

    @property
    def questions(self) -> list[tuple[str, str]]:
        """What stands there when something is typed, and what is typed."""
        return [(_spaces(line[: match.start()]), match[2]) for line in self.lines for match in TYPED.finditer(line)]


def read(text: str, known: Mapping[str, str]) -> list[Step]:
    """The steps of a transcript; KeyError for a `{name}` that nobody knows."""
    steps: list[Step] = []
    command, lines = "", list[str]()
    for line in [*re.sub(r"\{(\w+)\}", lambda match: known[match[1]], text).split("\n"), "$ "]:
        if command.endswith("\\"):
            command = command[:-1] + line.strip()
        elif line.startswith("$ "):
            if command:
                steps.append(_step(command, lines))
            command, lines = line[2:], []
        elif command:
            lines.append(line)
    return steps


def _step(command: str, lines: list[str]) -> Step:
    ended = [int(match[1]) for line in lines if (match := EXIT.fullmatch(line))]
    kept = [line.rstrip() for line in lines if line.strip() and not line.startswith("# ") and not EXIT.fullmatch(line)]
    return Step(command, tuple(kept), ended[0] if ended else 0)


def _spaces(text: str) -> str:
    return " ".join(text.split())


def lines_of(output: str) -> list[str]:
    """What a terminal got, as lines: without escapes, empty lines, and how many spaces there were."""
    return [line for line in (_spaces(line) for line in re.split(r"[\r\n]+", ESCAPES.sub("", output))) if line]


def difference(step: Step, output: str) -> str:
    """Empty when the output is what the transcript says; otherwise the first line that nothing matches."""
    printed = lines_of(output)
    # Positions in `printed` that the expected lines so far can end at.
    ends = {0}
    for expected in step.lines:
        if expected.strip() == "...":
            ends = set(range(min(ends), len(printed) + 1))
            continue
        pattern = _pattern(expected)
        following = {end + 1 for end in ends if end < len(printed) and pattern.fullmatch(printed[end])}
        if not following:
            return f"{expected!r} does not follow; there stands {printed[min(ends) :][:3]}"
        ends = following
    return "" if len(printed) in ends else f"printed beyond the transcript: {printed[max(ends) :][:3]}"


def _pattern(expected: str) -> re.Pattern[str]:
    shown = TYPED.sub(lambda match: "" if match[1] else match[2], expected)
    return re.compile(
        " ?".join(re.escape(part) for part in re.split(r"(?<=\.\.\.)|(?=\.\.\.)", _spaces(shown))).replace(r"\.\.\.", ".*")
    )


def run(step: Step, argv: list[str], folder: Path, environment: Mapping[str, str], seconds: float = 600) -> tuple[int, str]:
    """Run a step's command on a terminal of its own, or without one when nothing is typed; exit code and output."""
    if not step.questions:
        done = subprocess.run(
            argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(
        argv, cwd=folder, env={**environment, "TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        output = _converse(ours, step, time.monotonic() + seconds)
        return process.wait(timeout=30), output
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _converse(terminal: int, step: Step, deadline: float) -> str:
    """Read until the command ends; type each answer when its question is the last thing that stands there."""
    output, waiting = "", step.questions
    answered = 0
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):  # EIO: the last process of the terminal ended
                if data := os.read(terminal, 65536):
                    output += data.decode(errors="replace")
                    continue
            return output
        last = _spaces(re.split(r"[\r\n]", ESCAPES.sub("", output[answered:]))[-1])
        if waiting and waiting[0][0] and _pattern(waiting[0][0]).fullmatch(last):
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
            answered = len(output)
    raise TimeoutError(f"{step.command} waits: {output[-500:]}")


def replay(
    text: str, known: Mapping[str, str], programs: Mapping[str, list[str]], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Step, float]]:
    """Run every step; raise AssertionError at the first that is not as written. Yields each with its seconds."""
    for step in read(text, known):
        program, *words = shlex.split(step.command)
        started = time.monotonic()
        code, output = run(step, [*programs.get(program, [program]), *words], folder, environment)
        wrong = difference(step, output) or (f"exit code {code}, not {step.exit}" if code != step.exit else "")
        assert not wrong, f"$ {step.command}\n{wrong}\n--- all that it printed:\n{ESCAPES.sub('', output)[-6000:]}"
        yield step, time.monotonic() - started
