"""A script as a step of an operation whose failure is told in one line: what was tried, and the cause among all it printed."""

from __future__ import annotations

from typing import Any

from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.command import PyinfraCommand

from operations.remote import SCRIPT_SECONDS, ScriptError, run
from signupflow.release.cause import cause


class Scripted(PyinfraCommand):
    """Runs `script` as root; `what` says in the error's first line what failed. `seconds` is what it may take."""

    def __init__(self, what: str, script: str, seconds: float = SCRIPT_SECONDS) -> None:
        super().__init__()
        self.what, self.script, self.seconds = what, script, seconds
        self.reason = ""

    def __repr__(self) -> str:
        return f"Scripted({self.what})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        try:
            # Once: what a script that may take minutes has done before a connection was lost, the next run asks the host.
            run(host, self.script, self.seconds, patience=0)
        except ScriptError as error:
            return self.failed(host, self.what, error)
        return True

    def failed(self, host: Host, what: str, error: ScriptError) -> bool:
        """Tell why it fails, and keep it as the deployment's reason; False, which is what `execute` then returns."""
        self.reason = f"{what}: {cause(str(error))}"
        for line in str(error).splitlines():
            logger.warning(f"{host.print_prefix}    {line}")
        logger.error(f"{host.print_prefix}Error: {self.reason}")
        return False
