"""The schema step: once for the fleet, from the new image, as the migrator role, before any replica starts.

It runs beside PostgreSQL, so that the migrator's password never leaves the database's host.
"""

from pathlib import Path

from pyinfra import inventory
from pyinfra.api import deploy

from deploys.app import serving
from deploys.app.configuration import REHEARSAL_URL, migrator_values, uses_database
from deploys.backups.configuration import schema_directory
from deploys.deployment import deployment
from deploys.environment import environment, fleet, image, in_group, secrets
from deploys.postgres.roles import CERTIFICATE
from facts.containers import Containers
from operations import database, files
from operations import secrets as secret_files
from operations.delegate import connectable
from signupflow.release.spec import APP_LABEL, GENERATION_LABEL
from signupflow.render import compose_value, template
from signupflow.settings import Environment

TEMPLATES = Path(__file__).parent / "templates"


@deploy("Schema")
def schema() -> None:
    env = environment()
    if not in_group("db") or not env.app_migration_command or not uses_database(env):
        return
    app_image = image(env.app_image)
    command = [compose_value(word) for word in env.app_migration_command]
    migrator = migrator_secrets(env)
    secret_files.directory(
        name="Write the migrator's database URL", path=migrator, values=migrator_values(env, secrets()), uid=env.app_user
    )
    directory = _directory(env)
    files.config(
        name="Write the PostgreSQL CA",
        dest=f"{trust_directory(env)}/{CERTIFICATE}",
        content=secrets()["postgres_tls_certificate"],
    )
    smoke = [compose_value(word) for word in env.app_smoke_command] if env.app_secrets_as == "files" else []
    compose = template(
        TEMPLATES / "compose.yaml.j2",
        env=env,
        image=app_image.on_host,
        secrets=migrator,
        command=command,
        smoke=smoke,
        rehearsal=REHEARSAL_URL,
    )
    database.migrated(
        name=f"Migrate to {app_image.schema_revision or 'the schema of this image'}",
        wanted=database.Schema(
            database=env.postgres_database,
            revision=app_image.schema_revision,
            migrations=app_image.migrations,
            identity=f"{app_image.on_host} {' '.join(env.app_migration_command)}",
            directory=directory,
            compose=compose,
            smoke=bool(smoke),
            restore_point=f"before-{app_image.version}"[:60],
        ),
        running=running,
        allow_interrupts=env.may_interrupt,
        named=lambda point: setattr(deployment().recorder, "restore_point", point),
    )


def migrator_secrets(env: Environment) -> str:
    """Directory of the migrator's secret files, on the database's host."""
    return f"/etc/signupflow/secrets/schema-{env.app_name}"


def trust_directory(env: Environment) -> str:
    """Directory with the certificate by which the database's host itself knows PostgreSQL."""
    return f"{_directory(env)}/trust"


def _directory(env: Environment) -> str:
    return schema_directory(env.app_name)


def running() -> str:
    """Id of the image that serves now, on the first app host that serves; empty when none does."""
    found = serving()
    for name in fleet().apps:
        target, current = inventory.get_host(name), found.generation(name)
        if not current or not connectable(target):
            continue
        for item in target.get_fact(Containers, label=f"{APP_LABEL}={environment().app_name}"):
            if item.labels.get(GENERATION_LABEL) == str(current):
                return item.image
    return ""
