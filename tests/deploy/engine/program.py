"""The real pyinfra program, with hosts whose scripts run in this machine's shell: `python -m tests.deploy.engine.program WORDS`.

Only the transport is another: a host is away while a file `<host>.away` is in the folder that ENGINE_FOLDER names.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from gevent import monkey

monkey.patch_all()

from paramiko import SSHException  # noqa: E402
from pyinfra.api.exceptions import ConnectError  # noqa: E402
from pyinfra.connectors.ssh import SSHConnector  # noqa: E402
from pyinfra.connectors.util import CommandOutput, OutputLine  # noqa: E402
from pyinfra_cli.main import main  # noqa: E402

FOLDER = Path(os.environ["ENGINE_FOLDER"])


def _away(connector: SSHConnector) -> bool:
    return (FOLDER / f"{connector.host.name}.away").exists()


def connect(self: SSHConnector) -> None:
    if _away(self):
        raise ConnectError("no route to host")


def run_shell_command(self: SSHConnector, command: Any, **arguments: Any) -> tuple[bool, CommandOutput]:
    if _away(self):
        raise SSHException("the connection was lost")
    stdin = arguments.get("_stdin") or ""
    stdin = (stdin if isinstance(stdin, str) else "\n".join(stdin)).replace("/var/lib", f"{FOLDER}/{self.host.name}")
    done = subprocess.run(
        ["sh", "-c", command.get_raw_value() if hasattr(command, "get_raw_value") else str(command)],
        input=stdin,
        capture_output=True, text=True, errors="replace", check=False, cwd=FOLDER,
        env={**os.environ, "THIS_HOST": self.host.name},
    )  # fmt: skip
    lines = [OutputLine("stdout", line) for line in done.stdout.splitlines()]
    lines += [OutputLine("stderr", line) for line in done.stderr.splitlines()]
    return done.returncode == 0, CommandOutput(lines)


SSHConnector.connect = connect  # type: ignore[method-assign]
SSHConnector.disconnect = lambda self: None  # type: ignore[method-assign]
SSHConnector.run_shell_command = run_shell_command  # type: ignore[assignment]

if __name__ == "__main__":
    (FOLDER / "pid").write_text(f"{os.getpid()}\n")
    main()
