"""`signupflow`: the operator's verbs. Each builds a pyinfra or an ssh command, prints it and runs it; no logic lives here."""

from __future__ import annotations

import sys

import click

from signupflow.cli import backups, hosts, plans, verbs
from signupflow.cli.any_order import AnyOrder
from signupflow.cli.init import command as init
from signupflow.cli.rotating import rotate
from signupflow.errors import OperatorError
from signupflow.secrets_cli import main as secrets

# The verbs by what somebody wants; a test finds one that is in none.
SECTIONS = {
    "Set up": ("init", "bootstrap", "secrets", "completion"),
    "Release": ("deploy", "plan", "apply", "rollback", "restart", "scale"),
    "Look": ("status", "history", "doctor", "logs"),
    "On a host": ("console", "psql"),
    "When a release was interrupted": ("resume", "abort", "lock"),
    "Data": ("backup", "restore", "recover", "migrate-sqlite"),
    "Now and then": ("maintenance", "upgrade", "rotate", "remove-host"),
}


class Verbs(AnyOrder):
    """Verbs whose options stand before or after them; help lists them by what somebody wants."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            limit = formatter.width - 6 - max(map(len, names))
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit)) for name in names])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Deploy and operate SignUpFlow. Every verb prints the command that it runs, which can be run without this.

    A verb's options may stand before it as well: signupflow -i FILE status.
    """


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), help="Your shell.")
def completion(shell: str) -> None:
    """Print the line that turns on tab completion in SHELL. Use it as eval "$(signupflow completion bash)"."""
    click.echo({
        "bash": 'eval "$(_SIGNUPFLOW_COMPLETE=bash_source signupflow)"',
        "zsh": 'eval "$(_SIGNUPFLOW_COMPLETE=zsh_source signupflow)"',
        "fish": "_SIGNUPFLOW_COMPLETE=fish_source signupflow | source",
    }[shell])  # fmt: skip


for verb in (*verbs.ALL, *plans.ALL, *hosts.ALL, *backups.ALL, *init.ALL):
    main.add_command(verb)
main.add_command(rotate)
main.add_command(secrets, "secrets")


def run() -> None:
    """The program: what an operator did wrong is one line, and exit code 2."""
    try:
        main(prog_name="signupflow")
    except OperatorError as error:
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {error}", err=True)
        sys.exit(2)
