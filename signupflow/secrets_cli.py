"""The command line of `scripts/secrets.py`."""

from __future__ import annotations

import json
import os
import secrets as random_secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pyrage

from signupflow import certificate, secretfile
from signupflow.errors import OperatorError
from signupflow.secretfile import SecretsFile
from signupflow.settings.backups import S3_SECRETS
from signupflow.shared.places import POSTGRES


def generated() -> dict[str, str]:
    """What is made here rather than given: random and URL-safe with 256 bits, signing keys, PostgreSQL's certificate."""
    values = {
        name: random_secrets.token_urlsafe(32) for name in ("digest_key", "postgres_migrator_password", "postgres_app_password")
    }
    # Whoever holds it reads the backups; without it nobody does.
    values["backup_passphrase"] = random_secrets.token_urlsafe(48)
    values["jwt_keys"] = f"k1:{random_secrets.token_urlsafe(48)}"
    values["postgres_tls_certificate"], values["postgres_tls_key"] = certificate.self_signed(POSTGRES)
    return values


# What a provider gives rather than this machine makes, by the environment variable of the same name in capitals.
GIVEN = (*S3_SECRETS, "notify_webhook_url")


def variable(name: str) -> str:
    """The environment variable that gives a secret: `S3_ACCESS_KEY` for `s3_access_key`."""
    return name.upper()


def given() -> dict[str, str]:
    """The secrets of `GIVEN` that this process's environment holds."""
    return {name: os.environ[variable(name)] for name in GIVEN if os.environ.get(variable(name))}


class Group(click.Group):
    """Prints an OperatorError as one line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            raise click.ClickException(str(error)) from None


def target_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--key", default="", metavar="FILE", help="age identity; default ~/.config/signupflow/ENVIRONMENT.key."),
        click.option("--file", default="", metavar="FILE", help="Secrets file; default secrets/ENVIRONMENT.age."),
        click.argument("environment", help="Its name, such as production."),
    ):
        command = option(command)
    return command


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Keep an environment's secrets in one age file. It is safe to commit."""


@main.command()
@target_options
def init(environment: str, file: str, key: str) -> None:
    """Make a key (unless there is one) and a file with generated secrets. Never replaces a file.

    S3_ACCESS_KEY, S3_SECRET_KEY and NOTIFY_WEBHOOK_URL are taken from the environment where they are set.
    """
    target = SecretsFile.of(environment, file, key)
    if target.path.exists():
        raise OperatorError(f"{target.path} exists; use `set` or `edit`")
    if make_key(target):
        click.echo(f"made the key {target.key_path}; keep a copy offline, nothing opens the file without it")
    identity = target.identity()
    values = generated()
    target.write(values | given(), [str(identity.to_public())])
    click.echo(f"wrote {target.path} with {len(values)} generated secrets, for recipient {identity.to_public()}")


@main.command()
@target_options
def complete(environment: str, file: str, key: str) -> None:
    """Generate what the file lacks, as after an upgrade; what it holds stays. Variables count as for `init`."""
    target = SecretsFile.of(environment, file, key)
    values, made = target.read(), generated() | given()
    if ("postgres_tls_key" in values) != ("postgres_tls_certificate" in values):
        raise OperatorError("the file holds one of postgres_tls_key and postgres_tls_certificate: set the other, or remove both")
    missing = sorted(set(made) - set(values))
    if missing:
        target.write({**made, **values})
    click.echo(f"added {', '.join(missing)} to {target.path}" if missing else f"{target.path} lacks nothing")


@main.command()
@target_options
def show(environment: str, file: str, key: str) -> None:
    """Print the names, never the values."""
    for name in sorted(SecretsFile.of(environment, file, key).read()):
        click.echo(name)


@main.command("set")
@target_options
@click.argument("name", help="The secret, such as smtp_password.")
def set_(environment: str, file: str, key: str, name: str) -> None:
    """Set one secret. The value is asked for, or read from standard input when that is not a terminal."""
    target = SecretsFile.of(environment, file, key)
    values = target.read()
    if sys.stdin.isatty():
        values[name] = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True)
    else:
        values[name] = sys.stdin.read().rstrip("\n")
    _checked(values)
    target.write(values)
    click.echo(f"set {name} in {target.path}")


@main.command()
@target_options
def edit(environment: str, file: str, key: str) -> None:
    """Open the values as JSON in $EDITOR, in a memory file system where there is one."""
    target = SecretsFile.of(environment, file, key)
    before = target.read()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        scratch = Path(directory) / "secrets.json"
        secretfile.write_private(scratch, json.dumps(before, indent=2, sort_keys=True) + "\n")
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        if subprocess.run([*editor.split(), str(scratch)], check=False).returncode:
            raise OperatorError(f"{editor} failed; nothing was changed")
        try:
            values = json.loads(scratch.read_text())
        except ValueError as error:
            raise OperatorError(f"not JSON ({error}); nothing was changed") from None
    if values == before:
        click.echo("nothing changed")
        return
    _checked(values)
    target.write(values)
    click.echo(f"wrote {target.path}")


@main.command()
@target_options
@click.option("--add", multiple=True, metavar="AGE1...", help="Recipient who may open the file from now on.")
@click.option("--remove", multiple=True, metavar="AGE1...", help="Recipient who may not open new versions.")
def recipients(environment: str, file: str, key: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """List recipients, or change them and encrypt anew. What was cut off is finished by the same command."""
    target = SecretsFile.of(environment, file, key)
    listed = target.recipients()
    unknown = [line for line in remove if line not in listed]
    for line in unknown:
        # It may open the file all the same: the list is no part of it.
        click.echo(f"{line} was not in the list of {target.path}; the file is encrypted anew to those who are", err=True)
    wanted = [line for line in dict.fromkeys([*listed, *add]) if line not in remove]
    if wanted != listed or unknown:
        target.write(target.read(), wanted)
        if remove:
            click.echo("whoever was removed has seen these values: change every secret that matters", err=True)
    for line in wanted:
        click.echo(line)


@main.command("re-encrypt")
@target_options
def re_encrypt(environment: str, file: str, key: str) -> None:
    """Encrypt the same values anew to the recipients listed beside the file."""
    target = SecretsFile.of(environment, file, key)
    target.write(target.read())
    click.echo(f"re-encrypted {target.path} to {len(target.recipients())} recipients")


def make_key(target: SecretsFile) -> bool:
    """Make the environment's key unless there is one; whether it was made."""
    if target.key_path.exists() or os.environ.get(secretfile.KEY_VARIABLE):
        return False
    beside = target.key_path.with_name(f".{target.key_path.name}.{os.getpid()}")
    secretfile.write_private(beside, f"{pyrage.x25519.Identity.generate()}\n")
    # A link, not a rename: it never replaces the key that somebody else made meanwhile.
    try:
        os.link(beside, target.key_path)
    finally:
        beside.unlink()
    return True


def _checked(values: dict[str, str]) -> None:
    try:
        secretfile.check(values)
    except (ValueError, AttributeError) as error:
        raise OperatorError(f"{error}; nothing was changed") from None
