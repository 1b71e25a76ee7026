"""Verbs that are one deploy each."""

from __future__ import annotations

from dataclasses import replace

import click

from signupflow.cli.any_order import AnyOrder
from signupflow.cli.running import Target, changing_options, execute, result_of, target_options
from signupflow.errors import OperatorError

JSON = {"SIGNUPFLOW_JSON": "1"}


@click.command()
@click.option("--user", default="root", show_default=True, help="A login that hosts have now: root, or one with sudo.")
@changing_options
@target_options
def bootstrap(user: str, target: Target, words: tuple[str, ...]) -> None:
    """Give bare hosts the deploy login, before the first deploy."""
    execute(target.command("bootstrap", *words, "--user", user))


@click.command()
@click.argument("version", required=False, help="A tag of `app_image`, or TAG@sha256:...; default the one in group_data.")
@changing_options
@target_options
def deploy(version: str | None, target: Target, words: tuple[str, ...]) -> None:
    """Bring every host up to date and release VERSION.

    VERSION is a tag of `app_image`, or TAG@sha256:...; without it, what group_data names.
    """
    execute(target.command("production", *words, app_version=version))


@click.command()
@click.argument("version", required=False, help="A release of the history; default the one before.")
@changing_options
@target_options
def rollback(version: str | None, target: Target, words: tuple[str, ...]) -> None:
    """Go back to the release before, or to VERSION. Refused when it cannot run on the present schema."""
    execute(target.command("rollback", *words, rollback_to=version))


@click.command()
@changing_options
@target_options
def restart(target: Target, words: tuple[str, ...]) -> None:
    """Replace the containers by new ones of the same release. Host after host, with no lost request."""
    execute(target.command("restart", *words))


@click.command()
@click.argument("replicas", type=click.IntRange(1, 64), help="Containers of the app on each app host.")
@changing_options
@target_options
def scale(replicas: int, target: Target, words: tuple[str, ...]) -> None:
    """Run REPLICAS on each app host. Set `app_replicas` in group_data as well: the next deploy goes by it."""
    execute(target.command("scale", *words, app_replicas=replicas))


@click.command()
@click.argument("switch", type=click.Choice(["on", "off"]), help="Whether users see the page.")
@click.option("--reason", default="", help="Why, for colleagues who look at the status.")
@changing_options
@target_options
def maintenance(switch: str, reason: str, target: Target, words: tuple[str, ...]) -> None:
    """Put a maintenance page before the app, or take it away. It answers 503 with Retry-After; health stays visible."""
    execute(target.command("maintenance", *words, maintenance=switch, reason=reason))


@click.command()
@click.argument("what", type=click.Choice(["traefik", "postgres", "docker"]), help="What to upgrade.")
@changing_options
@target_options
def upgrade(what: str, target: Target, words: tuple[str, ...]) -> None:
    """Bring Docker, Traefik or PostgreSQL up to date. Interruptions are declared and counted."""
    execute(target.command("upgrade", *words, upgrade=what))


@click.command()
@target_options
def doctor(target: Target) -> None:
    """Run the preflight checks of a release on every host. Changes nothing."""
    result_of(target.command("doctor", "-y"))
    click.echo("all checks passed")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON in the place of tables.")
@target_options
def status(as_json: bool, target: Target) -> None:
    """Show what serves where, and how it is. Releases, health, certificates, the deploy lock, the last deployments."""
    result_of(target.command("status", "-y"), JSON if as_json else None)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each record.")
@target_options
def history(as_json: bool, target: Target) -> None:
    """Show who deployed what, when, and how it ended. Fails when the record was tampered with."""
    result_of(target.command("history", "-y"), JSON if as_json else None)


@click.command()
@changing_options
@target_options
def resume(target: Target, words: tuple[str, ...]) -> None:
    """Finish an interrupted release. Checks nothing below the app; `deploy` finishes it too, and checks everything."""
    execute(target.command("resume", *words))


@click.command("remove-host")
@click.argument("host", help="Its name in the inventory.")
@changing_options
@target_options
def remove_host(host: str, target: Target, words: tuple[str, ...]) -> None:
    """Take an app host out of service without losing a request. It is drained and stopped."""
    if target.limit:
        raise OperatorError("remove-host takes the host as its argument; leave --limit out")
    execute(replace(target, limit=(host,)).command("remove_host", *words))


@click.command("migrate-sqlite")
@changing_options
@target_options
def migrate_sqlite(target: Target, words: tuple[str, ...]) -> None:
    """Move an old service from SQLite to PostgreSQL, once. Behind the maintenance page."""
    execute(target.command("migrate_sqlite", *words))


@click.command()
@click.option("--to", "moment", default="", metavar="TIME", help="ISO 8601 with its zone; default the last change.")
@click.option("--backup", "label", default="", metavar="LABEL", help="Begin with this backup; default the newest usable one.")
@changing_options
@target_options
def recover(moment: str, label: str, target: Target, words: tuple[str, ...]) -> None:
    """Bring the service and its data back on empty hosts. From the object storage, with the age key."""
    execute(target.command("disaster_recovery", *words, recover_to=moment, recover_from=label))


@click.command()
@changing_options
@target_options
def abort(target: Target, words: tuple[str, ...]) -> None:
    """Undo an interrupted release. Every host serves what it served before."""
    execute(target.command("abort", *words))


@click.group(cls=AnyOrder)
def lock() -> None:
    """Show or release the deploy lock, which lets one deployment work at a time."""


@lock.command("status")
@target_options
def lock_status(target: Target) -> None:
    """Show who holds the deploy lock on each host, why, and for how long still."""
    result_of(target.command("lock_status", "-y"))


@lock.command("release")
@changing_options
@target_options
def lock_release(target: Target, words: tuple[str, ...]) -> None:
    """Take the deploy lock from a deployment that will not come back."""
    execute(target.command("lock_release", *words))


ALL = (
    *(bootstrap, deploy, rollback, restart, scale, maintenance, upgrade, doctor, status, history),
    *(abort, resume, lock, remove_host, migrate_sqlite, recover),
)
