"""The inventory as the deploys read it, as JSON: each host with its groups and its data, all levels combined.

python -m deploys.inventory_json INVENTORY [--data NAME=VALUE ...]

`pyinfra INVENTORY debug-inventory --json` tells what pyinfra makes of it, which is something else: see deploys/host_data.py.
"""

from __future__ import annotations

import json
import os
import sys

import click
from pyinfra.api import State
from pyinfra.context import ctx_state
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import parse_cli_arg

from deploys.host_data import host_data, remember
from signupflow.errors import OperatorError
from signupflow.settings.overrides import pairs


@click.command()
@click.argument("path", metavar="INVENTORY")
@click.option("--data", multiple=True, metavar="NAME=VALUE")
def main(path: str, data: tuple[str, ...]) -> None:
    """Print it; what cannot be read ends in one line and exit code 2."""
    try:
        if not os.path.isfile(path):
            raise OperatorError(f"no inventory file {path}; use inventory.py, or name yours with -i FILE")
        remember(data)
        # pyinfra notes there which file it is in.
        ctx_state.set(State())
        found = make_inventory(
            path, cwd=os.getcwd(), override_data={name: parse_cli_arg(text) for name, text in pairs(data).items()}
        )
        rows = [{"name": item.name, "groups": list(item.groups), "data": host_data(item, found)} for item in found]
    except OperatorError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    click.echo(json.dumps(rows, default=str))


if __name__ == "__main__":
    main()
