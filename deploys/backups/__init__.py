"""Backups: pgBackRest beside PostgreSQL, driven by systemd timers on the database's host."""

from pathlib import Path

from pyinfra import host, logger
from pyinfra.api import deploy

from deploys.backups.configuration import (
    AUTHORITY,
    commands_json,
    schema_directory,
    secret_values,
    store_identity,
)
from deploys.environment import environment, image, in_group, refuse, secrets
from operations import backups as archiving
from operations import compose, files, images
from operations import secrets as secret_files
from signupflow import rotation
from signupflow.render import template
from signupflow.settings import Environment
from signupflow.shared.places import (
    BACKUP_CONFIGURATION,
    BACKUP_REPOSITORY,
    BACKUP_SECRETS,
    BACKUP_STATE,
    POSTGRES_DATA,
    POSTGRES_UID,
)

TEMPLATES = Path(__file__).parent / "templates"
COMMAND = "/usr/local/bin/signupflow-backup"
RESTORE = "/usr/local/bin/signupflow-restore"
COMMANDS = {COMMAND: "backup", RESTORE: "backup.restore_command"}
PLACES = {
    "configuration": BACKUP_CONFIGURATION,
    "secrets": BACKUP_SECRETS,
    "state": BACKUP_STATE,
    "repository": BACKUP_REPOSITORY,
    "data": POSTGRES_DATA,
}
# Tells people when not even the watch can run: it needs neither Docker nor Python.
UNWATCHED = "/usr/local/lib/signupflow/backup-unwatched"
SYSTEMD = "/etc/systemd/system"

SERVICES = ("signupflow-backup", "signupflow-backup-watch", "signupflow-backup-unwatched", "signupflow-restore-drill")
TIMERS = ("signupflow-backup", "signupflow-backup-watch", "signupflow-restore-drill")


def configured() -> None:
    """What PostgreSQL's container mounts; before it starts, because its archive_command reads it."""
    env = environment()
    if not env.backed_up:
        return
    secret_files.directory(name="Write the keys", path=BACKUP_SECRETS, values=secret_values(env, secrets()), uid=POSTGRES_UID)
    files.config(
        name="Write the configuration",
        dest=f"{BACKUP_CONFIGURATION}/backup.json",
        content=commands_json(env, image(env.postgres_image).on_host),
    )
    if env.s3_ca_file:
        authority = Path(env.s3_ca_file).read_text()
        files.config(name="Write the object-storage CA", dest=f"{BACKUP_CONFIGURATION}/{AUTHORITY}", content=authority)
    compose.directory(name="Create the local repository", path=BACKUP_REPOSITORY, mode="0700", uid=POSTGRES_UID)


@deploy("Backup keys")
def keys() -> None:
    """The keys alone, as when they rotate: pgBackRest reads them at each call, so nothing restarts.

    A new passphrase is a new store, which is made ready at once: until then no WAL is archived.
    """
    if not in_group("db"):
        return
    env = environment()
    configured()
    if env.backed_up and rotation.PASSPHRASE_BEFORE in secrets():
        _prepared(env)


def _prepared(env: Environment) -> None:
    identity = store_identity(env, rotation.backup_generation(secrets()))
    archiving.stanza(name="Start archiving and make the first backup", state=BACKUP_STATE, identity=identity)


@deploy("Recovery")
def recovery() -> None:
    """The cluster from the newest backup and all archived WAL, on a host that has none."""
    if not in_group("db"):
        return
    env = environment()
    if not env.backed_up:
        refuse("there is nothing to recover from: set s3_endpoint and s3_bucket")
    images.present(name="Load the PostgreSQL image", image=image(env.postgres_image), prune=True)
    compose.directory(name="Create the data directory", path=POSTGRES_DATA, mode="0700", uid=POSTGRES_UID)
    configured()
    _commands(env)
    wanted = f" --point-in-time {env.recover_to}" if env.recover_to else ""
    wanted += f" --backup {env.recover_from}" if env.recover_from else ""
    archiving.recovered(
        name=f"Restore the cluster to {env.recover_to or 'the last archived change'}",
        cluster=f"{POSTGRES_DATA}/cluster",
        restore=f"{RESTORE} --target {env.profile} --force{wanted}",
    )


def _commands(env: Environment) -> None:
    ops = image(env.ops_image)
    images.present(name="Load the ops image", image=ops, prune=True)
    for command, module in COMMANDS.items():
        files.config(
            name=f"Install {Path(command).name}",
            dest=command,
            content=template(
                TEMPLATES / "command.sh.j2", image=ops.on_host, module=module, schema=schema_directory(env.app_name), **PLACES
            ),
            mode="0755",
        )


@deploy("Backups")
def backups() -> None:
    if not in_group("db"):
        return
    env = environment()
    if not env.backed_up:
        _none()
        return
    _commands(env)
    files.config(
        name="Install the alert of a failed monitor",
        dest=UNWATCHED,
        content=template(TEMPLATES / "unwatched.sh.j2", env=env, host=host.name, **PLACES),
        mode="0755",
    )
    for unit in SERVICES:
        files.config(
            name=f"Install {unit}.service",
            dest=f"{SYSTEMD}/{unit}.service",
            content=template(TEMPLATES / f"{unit}.service.j2", command=COMMAND, unwatched=UNWATCHED),
            apply="systemctl daemon-reload",
        )
    for unit in TIMERS:
        files.config(
            name=f"Enable {unit}.timer",
            dest=f"{SYSTEMD}/{unit}.timer",
            content=template(TEMPLATES / f"{unit}.timer.j2", env=env),
            apply=f"systemctl daemon-reload && systemctl enable {unit}.timer && systemctl restart {unit}.timer",
            holds=f"systemctl is-active {unit}.timer",
        )
    _prepared(env)


def _none() -> None:
    """Without a store: no timers, no commands. What was stored stays where it is."""
    logger.warning(f"{host.print_prefix}no backups are made: name an s3_endpoint and an s3_bucket (BACKUP_RESTORE.md)")
    for unit in TIMERS:
        files.absent(
            name=f"Remove {unit}.timer",
            path=f"{SYSTEMD}/{unit}.timer",
            apply=f"systemctl disable --now {unit}.timer; systemctl daemon-reload",
        )
    for unit in SERVICES:
        files.absent(name=f"Remove {unit}.service", path=f"{SYSTEMD}/{unit}.service", apply="systemctl daemon-reload")
    for path in (*COMMANDS, UNWATCHED):
        files.absent(name=f"Remove {path}", path=path)
