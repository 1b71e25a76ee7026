"""`signupflow init`: from hosts that one owns to files that deploy to them, with every doubt said before anything is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from signupflow import images
from signupflow.cli.init import config, files, gather, host_key_pins, host_probe, storage, warnings
from signupflow.cli.init.checks import FAIL, OK, WARN, Check
from signupflow.cli.init.secrets_file import Vault
from signupflow.cli.running import ROOT
from signupflow.errors import OperatorError
from signupflow.secretfile import SecretsFile
from signupflow.settings import Environment
from signupflow.ssh_route import SSH_PORT

COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}


@click.command()
@click.argument("environment", default="production", help="Its name; default production.")
@click.option(
    "--host", "hosts", multiple=True, metavar="NAME[=ADDRESS][:ROLES]", help="A host; ROLES such as edge,app. Repeatable."
)
@click.option("--private-address", "private", multiple=True, metavar="NAME=IPV4", help="Where other hosts reach it. Repeatable.")
@click.option("--domain", "domains", multiple=True, help="A name that the app answers to. Repeatable.")
@click.option("--acme-email", default="", help="Contact for the certificates' CA.")
@click.option("--public-key", "keys", multiple=True, metavar="FILE|KEY", help="Who may log in; default your own. Repeatable.")
@click.option("--ssh-user", default="root", show_default=True, help="A login that the hosts have now: root, or one with sudo.")
@click.option("--ssh-port", type=click.IntRange(1, 65535), default=SSH_PORT, show_default=True, help="Port of SSH.")
@click.option("--ssh-key", default="", metavar="FILE", help="Private key to log in with; default what ssh uses.")
@click.option(
    "--host-key-fingerprint",
    "fingerprints",
    multiple=True,
    metavar="NAME=SHA256:...",
    help="The SSH host key it must have. Repeatable.",
)
@click.option("--s3-endpoint", default="", metavar="URL", help="Object storage; keys in S3_ACCESS_KEY and S3_SECRET_KEY.")
@click.option("--s3-bucket", default="", help="Its bucket, which must exist.")
@click.option("--s3-region", default="us-east-1", show_default=True, help="Its region.")
@click.option("--s3-ca-file", default="", metavar="PEM", help="CA certificate of a private endpoint.")
@click.option(
    "--backup-recipient", "recipients", multiple=True, metavar="AGE1...", help="Opens the dumps; private key offline. Repeatable."
)
@click.option(
    "--profile", type=click.Choice(["production", "staging"]), help="Default production, or staging for ENVIRONMENT staging."
)
@click.option("--traefik-image", default="", metavar="NAME:TAG@DIGEST", help=f"Default {gather.TRAEFIK}, pinned by Docker here.")
@click.option("--acme-directory", default="", metavar="URL", help="A CA other than Let's Encrypt.")
@click.option("--acme-ca-file", default="", metavar="PEM", help="CA certificate of that CA's own server.")
@click.option("--registry-mirror", "mirrors", multiple=True, metavar="URL", help="Registry that hosts try first. Repeatable.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting for group_data. Repeatable.")
@click.option(
    "--age-key-file", default="", metavar="FILE", help="Opens the secrets; default ~/.config/signupflow/ENVIRONMENT.key."
)
@click.option("--directory", default=str(ROOT), metavar="DIR", help="Where to write; default this repository.")
@click.option("--dns-server", default="", metavar="IP", help="DNS server to ask for the domains; default this machine's.")
@click.option("--no-check", is_flag=True, help="Write without asking the hosts anything but their keys.")
@click.option("--yes", "-y", is_flag=True, help="Trust the host keys as fetched, and ask nothing.")
def init(**given: Any) -> None:
    """Check hosts, pin their keys, write what deploys need. For ENVIRONMENT (default production) and hosts you own.

    Asks on a terminal for what no flag says. Writes nothing before every check has passed, and never over a file that somebody
    made. Exit code 1: a check failed; 2: a flag or an answer is invalid, or missing.
    """
    interactive = sys.stdin.isatty() and not given["yes"]
    ask = gather.Asker(interactive)
    try:
        made = gather.complete(given, ROOT, ask)
        _set_up(made, given, interactive)
    except (OperatorError, SystemExit) as ended:
        if ask.kept and not (isinstance(ended, SystemExit) and not ended.code):
            click.echo(f"\nTo keep these answers, add: {ask.kept}", err=True)
        raise


def _set_up(made: config.Answers, given: Mapping[str, Any], interactive: bool) -> None:
    """Everything after the answers: checks first, and then the files."""
    environments = config.check(made, gather.app_data(made))
    planned = [files.group_data(made), files.inventory(made)]
    for file in planned:
        files.refuse_to_replace(file, made.named(file.path))
    vault = Vault.open(SecretsFile(made.environment, made.secrets_file, made.age_key_file))
    keys = gather.s3_keys(made, vault, interactive)
    added = vault.missing(keys)

    pinned = host_key_pins.fetch(made, config.pairs("--host-key-fingerprint", given["fingerprints"]))
    _end_when_failed([pin.row for pin in pinned])
    if not given["yes"]:
        host_key_pins.confirm(pinned, interactive)
    known_hosts = host_key_pins.known_hosts(made, pinned)
    found = host_probe.Found()
    if not given["no_check"]:
        found = host_probe.look(made, environments, known_hosts.text, given["dns_server"])
        stored = [storage.check(made.storage, keys["s3_access_key"], keys["s3_secret_key"])] if made.storage else []
        _show([*(pin.row for pin in pinned), *found.rows, *stored])
        _end_when_failed([*found.rows, *stored], shown=True)
    _write(made, vault, added, [known_hosts, *planned])
    _say_left_out(next(iter(environments.values())), {*(vault.held or {}), *added})
    _say_next(made, environments, found.bootstrapped)


def _end_when_failed(rows: list[Check], shown: bool = False) -> None:
    failed = sum(row.verdict == FAIL for row in rows)
    if failed:
        if not shown:
            _show(rows)
        click.echo(f"{failed} {'check' if failed == 1 else 'checks'} failed; nothing was written")
        sys.exit(1)


def _show(rows: list[Check]) -> None:
    """A line for each, in columns; the remedy stands below what needs one."""
    cells = [(row.where, row.what, row.verdict) for row in rows]
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    for row, cell in zip(rows, cells, strict=True):
        where, what, verdict = (text.ljust(width) for text, width in zip(cell, widths, strict=True))
        click.echo(f"{where}  {what}  {click.style(verdict, fg=COLOURS[row.verdict])}  {row.result}")
        if row.remedy:
            click.echo(f"{' ' * (sum(widths) + 6)}{row.remedy}")


def _write(made: config.Answers, vault: Vault, added: Mapping[str, str], planned: list[files.File]) -> None:
    """Secrets first and the inventory last, so that what a kill leaves is never an inventory without what it needs."""
    lines = vault.add(added) if added else []
    for file in planned:
        if not file.there:
            file.write()
            lines.append(f"wrote {made.named(file.path)}")
    click.echo()
    for line in lines or ["nothing to write: every file holds this already"]:
        click.echo(line)


def _say_left_out(env: Environment, secrets: set[str]) -> None:
    found = list(warnings.lines(env, secrets))
    if found:
        click.echo(f"\nNot set up ({warnings.GUIDE}):")
    for line in found:
        click.echo(f"  {line}")


def _say_next(made: config.Answers, environments: Mapping[str, Environment], bootstrapped: frozenset[str]) -> None:
    """The commands as they then work, in the repository's root."""
    inventory = made.named(made.inventory)
    where = f" -i {inventory}" if inventory != "inventory.py" else ""
    bare = [host.name for host in made.hosts if host.name not in bootstrapped]
    limit = "".join(f" --limit {name}" for name in bare) if bootstrapped else ""
    (env, *_) = environments.values()
    lines = ["make build"] if _unbuilt(env) else []
    if bare:
        lines.append(f"signupflow bootstrap{where} --user {made.ssh_user}{limit}")
    lines += [f"signupflow deploy{where} --dry", f"signupflow deploy{where}"]
    click.echo(f"\nNext, in {made.root}:")
    for line in lines:
        click.echo(f"  {line}")


def _unbuilt(env: Environment) -> bool:
    """Whether an image that travels from here is not here yet."""
    built = [name for name in (env.app_image, env.postgres_image) if not images.Reference.parse(name).digest]
    try:
        return not all(images.inspect(name) for name in built)
    except (OperatorError, OSError):
        return True


ALL = (init,)
