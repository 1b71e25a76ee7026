"""`signupflow rotate`: one command for each kind of secret. Cut off anywhere, the same command goes on where it was."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import pyrage

from signupflow import advice, rotation, secretfile
from signupflow.cli.any_order import AnyOrder
from signupflow.cli.hosts import hosts_of, inventory_of, ssh
from signupflow.cli.init import storage
from signupflow.cli.init.checks import FAIL
from signupflow.cli.init.config import Storage
from signupflow.cli.running import ROOT, Target, execute, shown, target_options
from signupflow.errors import OperatorError
from signupflow.secretfile import SecretsFile
from signupflow.secrets_cli import given as from_variables
from signupflow.settings.backups import PASSPHRASE, S3_SECRETS
from signupflow.sshkeys import Pair, naming, replaced

# JWT_TTL of an app that sets none (docs/deployment/ENVIRONMENT_CONFIG.md).
TOKEN_SECONDS = 3600
# Ends the names under which the bucket's keys of before are kept until the provider has revoked them.
BEFORE = "_before"
# The verb that replaces a leaked secret.
CHANGED_BY = {
    **dict.fromkeys((rotation.APP_PASSWORD, rotation.MIGRATOR_PASSWORD), "rotate database"),
    rotation.JWT_KEYS: "rotate jwt --now",
    **dict.fromkeys(S3_SECRETS, "rotate object-store"),
    PASSPHRASE: "rotate backup-passphrase",
}
REPLACED_BY = {
    **dict.fromkeys(
        ("postgres_tls_certificate", "postgres_tls_key"),
        "remove both with `signupflow secrets edit`, then `signupflow secrets complete`; the next deploy restarts PostgreSQL",
    ),
    "digest_key": "remove it with `signupflow secrets edit`, then `signupflow secrets complete`; the next deploy rolls all hosts",
}
ELSEWHERE = "where it comes from, then `signupflow secrets set`"


def changed_by(name: str) -> str:
    """What to type or do to change a secret."""
    verb = CHANGED_BY.get(name)
    return advice.command(verb) if verb else REPLACED_BY.get(name, ELSEWHERE)


class Kept:
    """The environment's secrets file, as the inventory's first host names it."""

    def __init__(self, target: Target) -> None:
        if target.limit:
            raise OperatorError("a rotation goes to every host; leave --limit out")
        found = next(iter(inventory_of(target).values()), None)
        if found is None:
            raise OperatorError(f"inventory {target.inventory} names no hosts")
        self.data: Mapping[str, Any] = found.get("data", {})
        named = {name: str(self.data.get(name) or "") for name in ("environment", "secrets_file", "age_key_file")}
        self.file = SecretsFile.of(named["environment"], named["secrets_file"], named["age_key_file"], ROOT)


def rotating_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--yes", "-y", is_flag=True, help="Do not ask before the first change."),
        click.option("--dry", is_flag=True, help="Say which steps are to be taken; touch nothing."),
    ):
        command = option(command)
    return command


@click.group(cls=AnyOrder)
def rotate() -> None:
    """Replace a secret without downtime. The old one is refused at the end. After an interruption run it again: it continues."""


@rotate.command()
@rotating_options
@target_options
def database(target: Target, yes: bool, dry: bool) -> None:
    """Passwords of the app and the migrator: the two app roles alternate."""
    _stepwise("database", Kept(target), target, yes, dry)


@rotate.command()
@click.option("--now", is_flag=True, help="Do not wait for the old key's tokens to end: their people sign in again.")
@rotating_options
@target_options
def jwt(now: bool, target: Target, yes: bool, dry: bool) -> None:
    """The key that signs tokens. The last step waits for the tokens of the old one to end: run this again then."""
    kept = Kept(target)
    seconds = int((kept.data.get("app_environment") or {}).get("JWT_TTL") or TOKEN_SECONDS)
    _stepwise("jwt", kept, target, yes, dry, timedelta(seconds=0 if now else seconds))


@rotate.command("backup-passphrase")
@rotating_options
@target_options
def backup_passphrase(target: Target, yes: bool, dry: bool) -> None:
    """The passphrase of the backups: a new store beside the old one, which goes once a backup in the new one was read back.

    With the old store goes every moment before that backup. The sealed dumps stay: they are opened by other keys.
    """
    kept = Kept(target)
    if PASSPHRASE not in kept.file.read():
        raise OperatorError(f"{_short(kept.file.path)} has no {PASSPHRASE}: no backups are made here (BACKUP_RESTORE.md)")
    (host,) = hosts_of(target, "db")[:1]
    # Each ends when what it does is done, and can be repeated: a run that was cut off in one begins with it again.
    then = {step: partial(_there, host, f"signupflow-backup {word}") for step, word in ((1, "run"), (2, "retire"))}
    _stepwise(rotation.BACKUP_PASSPHRASE, kept, target, yes, dry, then=then)


def _there(host: tuple[str, Mapping[str, Any]], command: str) -> None:
    """Run a command on a host, on this terminal."""
    execute(ssh(*host, command))


def _stepwise(
    what: str,
    kept: Kept,
    target: Target,
    yes: bool,
    dry: bool,
    lifetime: timedelta = timedelta(0),
    then: Mapping[int, Callable[[], None]] | None = None,
) -> None:
    """Step after step: write the values, deploy them, do what is to be done `then`, note that they are deployed."""
    values = kept.file.read()
    taken, since = rotation.position(what, values)
    steps = rotation.ROTATIONS[what]
    begun = taken > 0
    for number, step in enumerate(steps[max(taken - (since is None), 0) :], max(taken - (since is None), 0) + 1):
        click.echo(f"step {number} of {len(steps)}: {step.says}" + (" (goes on from a run before)" if begun else ""))
        begun = False
    if dry:
        return
    if not yes:
        click.confirm("Go on?", abort=True)
    while True:
        taken, since = rotation.position(what, values)
        if taken and since is None:
            # Written, by this run or by one that was cut off: every host gets it, which changes nothing where it has.
            execute(target.command("rotate", "-y", reason=f"rotation of {what}, step {taken} of {len(steps)}"))
            if work := (then or {}).get(taken):
                work()
            values = rotation.deployed(what, values, datetime.now(UTC))
            kept.file.write(values)
            click.echo(f"done: {steps[taken - 1].says}")
            if taken == len(steps):
                click.echo(f"rotated; commit {_short(kept.file.path)}")
                return
        later = rotation.due(what, values, lifetime)
        if later and later > datetime.now(UTC):
            click.echo(
                f"{_short(kept.file.path)} is to be committed; "
                f"run `{advice.command(f'rotate {what}')}` again after {later:%F %T} UTC"
            )
            return
        values = rotation.advanced(what, values)
        kept.file.write(values)


@rotate.command("age-key")
@rotating_options
@target_options
def age_key(target: Target, yes: bool, dry: bool) -> None:
    """Your key of the secrets file: a new one in its place, the old one opens nothing that is written from now on."""
    kept = Kept(target)
    if os.environ.get(secretfile.KEY_VARIABLE):
        raise OperatorError(f"the key is in the variable {secretfile.KEY_VARIABLE}; unset it and name the key's file")
    path = kept.file.key_path
    new_path, old_path = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")
    if new_path.exists() and not path.exists():
        # Cut off between the two renames at the end.
        _made_whole(path, dry, lambda: os.replace(new_path, path))
        return
    old = kept.file.identity()
    click.echo(f"{_short(kept.file.path)}: a new key in {path} in the place of {old.to_public()}, which stays as {old_path.name}")
    if dry:
        return
    if not yes:
        click.confirm("Go on?", abort=True)
    if not new_path.exists():
        secretfile.write_private(new_path, f"{pyrage.x25519.Identity.generate()}\n")
    new = secretfile.identity(kept.file.environment, str(new_path))
    listed = kept.file.recipients()
    try:
        values = secretfile.decrypt(kept.file.path, old)
    except OperatorError:
        # Cut off after the file was written for the new key, before the key took its place.
        values = secretfile.decrypt(kept.file.path, new)
    others = [line for line in listed if line not in (str(old.to_public()), str(new.to_public()))]
    kept.file.write(values, [*others, str(new.to_public())])
    os.replace(path, old_path)
    os.replace(new_path, path)
    click.echo(
        f"{_short(kept.file.path)} is for {new.to_public()} now; commit it with its .recipients, keep a copy of {path} offline"
    )
    click.echo("If the old key was seen by others, so were these values; each is to be changed:")
    for name in sorted(name for name in values if not rotation.bookkeeping(name)):
        click.echo(f"  {name:28} {changed_by(name)}")


@rotate.command("object-store")
@rotating_options
@target_options
def object_store(target: Target, yes: bool, dry: bool) -> None:
    """The bucket's keys: new ones by S3_ACCESS_KEY and S3_SECRET_KEY, or asked for; and again when the old ones are revoked."""
    kept = Kept(target)
    bucket = Storage(*(str(kept.data.get(f"s3_{name}") or "") for name in ("endpoint", "bucket", "region", "ca_file")))
    if not bucket.endpoint or not bucket.bucket:
        raise OperatorError(f"{target.inventory} names no s3_endpoint and s3_bucket")
    values = kept.file.read()
    changing = all(f"{name}{BEFORE}" in values for name in S3_SECRETS)
    # Only once every host has the new keys; a run that was cut off before is repeated.
    delivered = changing and rotation.marker(rotation.OBJECT_STORE) in values
    click.echo(
        f"{bucket.endpoint}/{bucket.bucket}: "
        + (
            "the keys before must be refused; then they are forgotten"
            if delivered
            else "the new keys are delivered (goes on from a run before)"
            if changing
            else "new keys are tried, then delivered"
        )
    )
    if dry:
        return
    if delivered:
        _revoked(kept, values, bucket)
        return
    if not changing:
        values = _new_keys(values, bucket)
    if not yes:
        click.confirm("Go on?", abort=True)
    kept.file.write(values)
    execute(target.command("rotate", "-y", reason="rotation of the object store's keys"))
    if not all(f"{name}{BEFORE}" in values for name in S3_SECRETS):
        click.echo(f"delivered; there were none before; commit {_short(kept.file.path)}")
        return
    kept.file.write(values | {rotation.marker(rotation.OBJECT_STORE): datetime.now(UTC).isoformat(timespec="seconds")})
    click.echo(f"delivered; commit {_short(kept.file.path)}, revoke the old keys at the provider, then run this again")


def _new_keys(values: dict[str, str], bucket: Storage) -> dict[str, str]:
    """The values with new keys that work, and the ones before beside them."""
    given = from_variables()
    new = {name: given.get(name) or click.prompt(name.upper(), hide_input=True) for name in S3_SECRETS}
    if all(new[name] == values.get(name) for name in S3_SECRETS):
        raise OperatorError("these are the keys that the file holds already; make new ones at the provider")
    found = storage.check(bucket, new["s3_access_key"], new["s3_secret_key"])
    if found.verdict == FAIL:
        raise OperatorError(f"{found.where}: the new keys do not work: {found.result}; {found.remedy}; nothing was changed")
    return values | {f"{name}{BEFORE}": values[name] for name in S3_SECRETS if name in values} | new


def _revoked(kept: Kept, values: dict[str, str], bucket: Storage) -> None:
    """Forget the keys before, once the bucket refuses them; and not because it cannot be asked."""
    now = storage.check(bucket, values["s3_access_key"], values["s3_secret_key"])
    if now.verdict == FAIL:
        raise OperatorError(f"{now.where}: the present keys do not work: {now.result}; {now.remedy}")
    if not storage.refuses(bucket, *(values[f"{name}{BEFORE}"] for name in S3_SECRETS)):
        raise OperatorError("the keys before still open the bucket; revoke them at the provider, then run this again")
    over = {f"{key}{BEFORE}" for key in S3_SECRETS} | {rotation.marker(rotation.OBJECT_STORE)}
    kept.file.write({name: value for name, value in values.items() if name not in over})
    click.echo(f"rotated; commit {_short(kept.file.path)}")


@rotate.command("ssh-key")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="Private key that logs in now; default `ssh_key`.")
@rotating_options
@target_options
def ssh_key(target: Target, key: str | None, yes: bool, dry: bool) -> None:
    """The key that logs in to every host: both for a while, then the new one alone. Replaces it where it is written down."""
    hosts = inventory_of(target)
    data = next(iter(hosts.values())).get("data", {})
    named = key or data.get("ssh_key")
    if target.limit or not named:
        raise OperatorError(
            "--limit leaves hosts behind; leave it out" if target.limit else "say --key FILE: no host names an ssh_key"
        )
    pair = Pair(Path(named).expanduser().resolve())
    if pair.half_swapped:
        _made_whole(pair.path, dry, pair.swap)
        return
    public = list(data.get("deploy_public_keys", ()))
    places = naming(pair.public, [Path(target.inventory), *sorted((ROOT / "group_data").glob("*.py"))], ROOT)
    if not places and not pair.new_is_named([*public]):
        raise OperatorError(
            f"deploy_public_keys does not hold {pair.path}.pub as it is written there; set it in group_data first"
        )
    for text in (
        f"a new key beside {pair.path}, accepted by {len(hosts)} hosts beside the old one",
        f"tried on every host, then written in the place of the old one in {', '.join(map(_short, places)) or 'its file'}",
        f"every host accepts the new one alone; it takes the place of {pair.path}, the old one stays as {pair.old.name}",
    ):
        click.echo(text)
    if dry:
        return
    if not yes:
        click.confirm("Go on?", abort=True)
    pair.make_new()
    if places:
        both = [*public, *([] if pair.new_public in public else [pair.new_public])]
        execute(_logins(target, f"deploy_public_keys={json.dumps(both)}"))
        _tried(hosts, pair.new)
        for place in places:
            replaced(place, pair.public, pair.new_public)
    execute(_logins(target, f"ssh_key={pair.new}"))
    pair.swap()
    click.echo("rotated; commit what was written, and give the new key to whoever deploys (GitHub's secret too)")


def _made_whole(path: Path, dry: bool, finish: Callable[[], None]) -> None:
    """End what a run before was cut off in; a dry run only says so."""
    if not dry:
        finish()
    click.echo(f"{path} was half replaced by a run before; it {'would be made' if dry else 'is'} whole now")


def _logins(target: Target, *pairs: str) -> list[str]:
    return [
        *target.command("logins", "-y", reason="rotation of SSH keys"),
        *(word for pair in pairs for word in ("--data", pair)),
    ]


def _tried(hosts: Mapping[str, Mapping[str, Any]], key: Path) -> None:
    """Every host lets the new key in, or the old one stays."""
    for name, item in hosts.items():
        command = ssh(
            name,
            {**item.get("data", {}), "ssh_key": str(key)},
            "true",
            options=("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
        )
        shown(command)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise OperatorError(f"{name} does not take the new key ({said}); both are accepted everywhere else, run this again")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
