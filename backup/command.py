"""The command line of backups: `signupflow-backup` on the database's host."""

from __future__ import annotations

import sys
import time

import click

from backup import bucket, configuration, create, drilling, dumps, listing, monitor, program, records, replaced
from backup import retire as retiring
from backup.exit_codes import Backup, Failed
from backup.program import STARTED, Group, tell
from backup.server import Server
from signupflow.shared import humanize
from signupflow.shared.dump_objects import EVERY


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Back PostgreSQL up, prove it, and bring it back.

    Exit codes of a backup: 0 ok, 1 the database cannot be reached, 2 dump failed, 3 upload failed, 4 verification failed,
    5 not enough disk, 6 bad configuration.
    """


@main.command("run")
def run_() -> None:
    """What the daily timer does: a backup in both repositories, read back; then the dumps that are due."""
    configured = configuration.read()
    record = create.make(configured, tell)
    tell(record.message)
    if dumped := dumps.make(configured, tell):
        tell(dumped.message)
    click.echo(f"Done in {humanize.span(time.monotonic() - STARTED)}. Next: systemctl list-timers signupflow-backup.timer")


@main.command("dump")
@click.argument("kind", type=click.Choice(sorted(EVERY)))
def dump(kind: str) -> None:
    """Make a weekly or a monthly dump now, sealed to the keys of `backup_recipients`."""
    configured = configuration.read()
    if not configured.store or not configured.recipients:
        raise Failed(Backup.CONFIGURATION, "dumps need s3_bucket and backup_recipients; set them and deploy")
    record = dumps.make(configured, tell, [kind])
    if record:
        tell(record.message)


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(as_json: bool) -> None:
    """The backups that there are, where, and to which moments one can go back."""
    configured = configuration.read()
    store = create.known(Server())
    held = dumps.stored(configured, configured.store) if configured.store else []
    notes = replaced.notes(store.copies)
    click.echo(listing.as_json(store, held, notes) if as_json else listing.table(store, held, notes))


@main.command()
def check() -> None:
    """Look at the bucket: rights, versioning, encryption, lifecycle, object lock, clock, region."""
    found = bucket.findings(configuration.read())
    click.echo(listing.findings(found))
    if any(finding.verdict == bucket.FAIL for finding in found):
        sys.exit(int(Backup.CONFIGURATION))


@main.command()
def drill() -> None:
    """What the monthly timer does: restore the newest backup to a scratch instance, check it, compare it with the live rows."""
    tell(drilling.drill(configuration.read(), tell).message)


@main.command()
def watch() -> None:
    """Check backups and archiving; send one alert for each problem, and one when it is resolved."""
    monitor.watch(configuration.read(), tell)


@main.command()
def retire() -> None:
    """Remove the previous store, when `signupflow rotate backup-passphrase` has replaced it; it runs this itself."""
    tell(retiring.retire(configuration.read(), tell))


@main.command()
def status() -> None:
    """The last attempts and the last good ones, in words."""
    click.echo(listing.attempts([(kind, records.read(kind), records.read(kind, good=True)) for kind in records.KINDS]))


def run() -> None:
    program.run(main, "signupflow-backup")
