"""The command line of restores: `signupflow-restore` on the database's host."""

from __future__ import annotations

import re
import sys

import click

from backup import configuration, program, restoring, staging_copy, swap
from backup import dry_run as dry
from backup.configuration import LOCAL, OBJECT_STORE, Configuration
from backup.exit_codes import Failed, Restore
from backup.program import Group, tell
from backup.restoring import Wanted
from backup.scratch import Target

SOURCES = {"any": 0, "object-storage": OBJECT_STORE, "host": LOCAL}
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
TABLE = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")


class RestoreGroup(Group):
    gone, unforeseen, busy = int(Restore.NO_DATABASE), int(Restore.FAILED), int(Restore.CONFIGURATION)


@click.group(cls=RestoreGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    type=click.Choice(["staging", "production"]),
    default="staging",
    show_default=True,
    help="Whose database is replaced; it must be this host's own profile.",
)
@click.option("--point-in-time", metavar="ISO8601", default="", help="To this second, such as 2026-11-27T02:15:00Z.")
@click.option("--restore-point", metavar="NAME", default="", help="To a restore point, such as before-1.4.0.")
@click.option("--backup", metavar="LABEL", default="", help="Begin with this backup; default the newest that serves.")
@click.option("--from", "source", type=click.Choice(sorted(SOURCES)), default="any", show_default=True, help="Where from.")
@click.option("--table", metavar="TABLE", default="", help="This table only, into a schema beside the live tables.")
@click.option("--into", metavar="SCHEMA", default="repair", show_default=True, help="That schema; it must not exist.")
@click.option("--dry-run", is_flag=True, help="Say what would be done or refused, and change nothing.")
@click.option("--force", is_flag=True, help="Do not ask before production's database is replaced.")
@click.pass_context
def main(
    ctx: click.Context,
    target: str,
    point_in_time: str,
    restore_point: str,
    backup: str,
    source: str,
    table: str,
    into: str,
    dry_run: bool,
    force: bool,
) -> None:
    """Bring the database back: to the last change, to a second, or to a restore point.

    It is restored to a new directory, checked, and swapped in; what it replaces is kept. Exit codes: 0 ok, 1 backup not
    found, 2 backup fails verification, 3 the database cannot be reached, 4 restore failed, 5 integrity check failed,
    6 not confirmed, 7 bad configuration.
    """
    if ctx.invoked_subcommand:
        return
    configured = configuration.read(Restore.CONFIGURATION)
    if target != configured.profile:
        raise Failed(
            Restore.CONFIGURATION,
            f"this host serves {configured.profile}, and the target is {target}: say --target {configured.profile}",
        )
    wanted = Wanted(_target(point_in_time, restore_point), backup, SOURCES[source])
    if table:
        _table(configured, wanted, table, into, dry_run)
        return
    copy = restoring.available(configured, wanted, tell)
    for line in restoring.plan(configured, wanted, copy):
        click.echo(f"- {line}")
    if dry_run:
        dry.in_place(wanted, copy)
        click.echo("Nothing was changed.")
        return
    if target == "production" and not force:
        _asked(configured)
    restoring.in_place(configured, wanted, copy, tell)
    click.echo("Roles and settings are as they were then: run deploys/production.py to bring them up to date.")


def _target(point_in_time: str, restore_point: str) -> Target:
    if point_in_time and restore_point:
        raise Failed(Restore.CONFIGURATION, "--point-in-time and --restore-point exclude each other")
    if restore_point and not NAME.match(restore_point):
        raise Failed(Restore.CONFIGURATION, f"{restore_point!r} is not the name of a restore point")
    return Target(restoring.moment(point_in_time) if point_in_time else None, restore_point)


def _table(configured: Configuration, wanted: Wanted, table: str, into: str, dry_run: bool) -> None:
    for name in (table, into):
        if not TABLE.match(name):
            raise Failed(Restore.CONFIGURATION, f"{name!r} is not a plain name of lower-case letters, digits and underscores")
    copy = restoring.available(configured, wanted, tell)
    click.echo(f"- restore {copy.label} to a scratch instance, replay to {wanted.target}")
    click.echo(f'- copy {table} into "{into}"."{table}" of the live database; nothing else is touched')
    if dry_run:
        dry.one_table(configured, wanted, copy, table, into)
        click.echo("Nothing was changed.")
        return
    tell(restoring.one_table(configured, wanted, copy, table, into, tell).message)


def _asked(configured: Configuration) -> None:
    """Go on only when somebody types the environment's name."""
    if not sys.stdin.isatty():
        raise Failed(Restore.REFUSED, "no terminal to confirm on: --force replaces production's database without asking")
    answer = click.prompt(f"This replaces the database of {configured.environment}. Type its name to go on", default="")
    if answer.strip() != configured.environment:
        raise Failed(Restore.REFUSED, "the name was not typed; nothing was changed")


@main.command()
@click.option("--point-in-time", metavar="ISO8601", default="", help="As of this second; default the last change.")
@click.option("--backup", metavar="LABEL", default="", help="Begin with this backup; default the newest that serves.")
@click.option(
    "--password-stdin", is_flag=True, help="Every user's password in the copy, from standard input; without it no user has one."
)
def sanitised(point_in_time: str, backup: str, password_stdin: bool) -> None:
    """Write a copy without personal data to standard output, for `signupflow-restore load` on staging's host."""
    if sys.stdout.isatty():
        raise Failed(Restore.CONFIGURATION, "this writes a dump: pipe it into `ssh STAGING sudo signupflow-restore load`")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else ""
    wanted = Wanted(_target(point_in_time, ""), backup)
    said = staging_copy.sanitised(
        configuration.read(Restore.CONFIGURATION), wanted, password, sys.stdout.buffer, program.tell_aside
    )
    program.tell_aside(said)


@main.command()
def load() -> None:
    """Replace staging's database by a sanitised copy from standard input; what was there is kept under another name."""
    tell(staging_copy.load(configuration.read(Restore.CONFIGURATION), sys.stdin.buffer, tell))


@main.command()
def kept() -> None:
    """Clusters that were replaced by a restore, and are kept."""
    names = [path.name for path in swap.kept()]
    click.echo("\n".join(names) if names else "No previous clusters.")


@main.command()
@click.argument("name")
def discard(name: str) -> None:
    """Remove a kept cluster for good."""
    swap.discard(name)
    click.echo(f"{name} is gone.")


if __name__ == "__main__":
    program.run(main, "signupflow-restore")
