"""Steps of one host's operation that run on another host: an app host's rollout changes the edge's routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyinfra.api import Host, State, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.util import print_host_combined_output


class Elsewhere(PyinfraCommand):
    """One command, run on `other` with the same privileges; its failure is the operation's failure."""

    def __init__(self, other: Host, command: StringCommand) -> None:
        super().__init__()
        self.other, self.command = other, command

    def __repr__(self) -> str:
        return f"Elsewhere({self.other.name}, {self.command})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        arguments = {**connector_arguments, **self.command.connector_arguments}
        try:
            connected(self.other)
        except ConnectError:
            return False  # pyinfra has said why
        status, output = self.other.run_shell_command(
            self.command, print_output=state.print_output, print_input=state.print_input, **arguments
        )
        if not status and not state.print_output:
            print_host_combined_output(self.other, output)
        return status


def on(other: Host, commands: Iterable[StringCommand]) -> Iterator[Elsewhere]:
    return (Elsewhere(other, command) for command in commands)


def connected(other: Host) -> Host:
    """The host, connected: a run that is limited to some hosts has not connected to the others."""
    if not other.connected:
        other.connect(reason="another host's rollout needs it", raise_exceptions=True)
    return other


def connectable(other: Host) -> bool:
    """Whether a host that this run may have left alone can be asked."""
    try:
        return connected(other).connected
    except ConnectError:
        return False
