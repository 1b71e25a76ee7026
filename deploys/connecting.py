"""What a run says when hosts do not let it in, and how a dry run ends: hung into pyinfra's own program, before it connects."""

from __future__ import annotations

import re
import sys
from typing import Any

import click
from pyinfra.api import Host, State
from pyinfra.api.state import BaseStateCallback
from pyinfra.context import ctx_state

from operations import output, refusals


class Advice(BaseStateCallback):
    """Says what to do about a host that refuses the login, below pyinfra's own line of why."""

    @staticmethod
    def host_connect_error(state: State, host: Host, error: Exception) -> None:
        _lost[host.name] = None
        if str(error).startswith("Authentication error"):
            named = re.search(r"username=([^,)]+)", str(error))
            user = named[1] if named else "the login"
            click.echo(
                f"{host.print_prefix}it does not let {user} in. A new host is bootstrapped first: `{bootstrap(host.name)}` "
                "(or --user with the login that it has)",
                err=True,
            )


REFUSED = 2
_lost: dict[str, None] = {}


def bootstrap(name: str) -> str:
    """The command that gives one host its deploy login, for the inventory of this run."""
    context = click.get_current_context(silent=True)
    inventory = context.params["inventory"] if context else "inventory.py"
    return f"pyinfra {inventory} deploys/bootstrap.py --user root --limit {name}"


def install(params: dict[str, Any]) -> None:
    """pyinfra makes a state anew for each run and forgets its callbacks when it is given the inventory: they come after that."""
    if not ctx_state.isset():
        return
    state: State = ctx_state.get()
    initialise = state.init

    def init(*arguments: Any, **named: Any) -> None:
        initialise(*arguments, **named)
        state.add_callback_handler(Advice())
        if params.get("dry"):
            # Nothing is changed, so there is nothing to ask: the plan is of the hosts that are there.
            state.should_raise_failed_hosts = _go_on

    state.init = init  # type: ignore[method-assign]
    if params.get("dry"):
        click.get_current_context().call_on_close(end_of_dry_run)


def _go_on(_: State) -> bool:
    return False


def end_of_dry_run() -> None:
    """What the run would be refused for is the last that a dry run says, and its exit code: 2 as of every refusal, with a whole
    plan; 1 when a host was lost, so that its part is not known.
    """
    away = [f"{name}: cannot be reached" for name in _lost]
    found = [*away, *refusals.noted()]
    if found:
        output.error(f"the run would be refused: {'; '.join(found)}")
        sys.exit(1 if away else REFUSED)
