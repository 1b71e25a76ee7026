"""Scripts on hosts, for steps that outlive a lost connection.

A script is given to `sh` on its standard input, so that nothing of it is in a process list. Each can be repeated: when the
connection is lost in the middle, it is made again and the script runs again from its start.
"""

from __future__ import annotations

import time
import uuid

import gevent
from gevent.lock import RLock
from paramiko import SSHException
from pyinfra.api import Host, StringCommand
from pyinfra.api.exceptions import ConnectError

# How long a host may be out of reach in the middle of a release before its step fails, in seconds.
PATIENCE = 90.0
# A script that says nothing for longer than it may take is taken for a lost connection.
SCRIPT_SECONDS = 15.0

# Several scripts may find at once that a host's connection is gone: one of them makes it again.
CONNECTING: dict[str, RLock] = {}


class ScriptError(Exception):
    """A script failed. The text is what it wrote to standard error, or its output when it wrote none."""


class UnreachableError(ScriptError):
    """The host could not be reached for as long as one may wait."""


# What paramiko and the system raise without a word of their own.
WORDLESS: dict[type[BaseException], str] = {EOFError: "its SSH connection was lost", TimeoutError: "it does not answer"}


def said_by(error: BaseException) -> str:
    """One line of what an exception says; for one of a connection that says nothing, what it means."""
    return str(error).partition("\n")[0] or next(
        (words for kind, words in WORDLESS.items() if isinstance(error, kind)), type(error).__name__
    )


def run(target: Host, script: str, seconds: float = SCRIPT_SECONDS, patience: float = PATIENCE) -> str:
    """Run a script as root and return its standard output. `seconds` is what it may take without a connection being suspected."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return _once(target, script, seconds)
        except (ConnectError, TimeoutError, OSError, EOFError, SSHException) as error:
            forget(target)
            if time.monotonic() >= deadline:
                raise UnreachableError(f"{target.name} cannot be reached: {said_by(error)}") from None
            gevent.sleep(0.5)


def _once(target: Host, script: str, seconds: float) -> str:
    with CONNECTING.setdefault(target.name, RLock()):
        if not target.connected:
            target.connect(reason="the connection was lost", show_errors=False, raise_exceptions=True)
    mark = f"ended-{uuid.uuid4().hex}"
    with gevent.Timeout(seconds, TimeoutError(f"no answer within {seconds:.0f} s")):
        _, output = target.run_shell_command(StringCommand("sh -s"), _sudo=True, _stdin=framed(script, mark))
    return unframed(output.stdout_lines, output.stderr_lines, mark)


def framed(script: str, mark: str) -> str:
    """The script, and after whatever it prints, on a line of its own, a mark that nothing else can be and its exit code.

    That line tells an exit code from a connection that ended in the middle.
    """
    return f"(\n{script}\n) </dev/null\nprintf '\\n%s %s\\n' {mark} $?\n"


def unframed(lines: list[str], errors: list[str], mark: str) -> str:
    """What a framed script printed. Raises OSError when its end is missing, ScriptError when it failed."""
    if not lines or not lines[-1].startswith(mark):
        raise OSError(" ".join(errors).strip() or "the connection ended in the middle of a script")
    # The line break before the mark is ours: after a last line that ended with one of its own, it makes an empty line.
    printed = lines[:-2] if len(lines) > 1 and not lines[-2] else lines[:-1]
    if lines[-1] != f"{mark} 0":
        raise ScriptError("\n".join(errors or printed).strip() or "a script failed without printing why")
    return "\n".join(printed)


def forget(target: Host) -> None:
    """Drop a connection that may be half dead; the next script makes a new one."""
    client = getattr(target.connector, "client", None)
    if client is not None:
        client.close()
    target.connected = False
