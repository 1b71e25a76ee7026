"""A command that only fails: how an operation refuses, in one line, what it was asked for."""

from __future__ import annotations

from typing import Any

from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.command import PyinfraCommand

from operations import refusals


class Failed(PyinfraCommand):
    """Fails with this reason, which becomes the deployment's: of its host, or with `fleet` of the whole run."""

    def __init__(self, reason: str, fleet: bool = False) -> None:
        super().__init__()
        self.reason, self.fleet = reason, fleet

    def __repr__(self) -> str:
        return f"Failed({self.reason!r})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        logger.error(f"{host.print_prefix}Error: {self.reason}")
        return False


def refused(reason: str, fleet: bool = False) -> Failed:
    """What an operation yields when it will not do what it was asked for; a dry run says so at its end, and by its exit code."""
    refusals.note(reason)
    return Failed(reason, fleet)
