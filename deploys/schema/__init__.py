"""The schema step: once for the fleet, from the new image, as the migrator role, before any replica starts.

It runs beside PostgreSQL, so that the migrator's password never leaves the database's host.
"""

from pathlib import Path

from pyinfra.api import deploy

from deploys.app.configuration import secret_values, uses_database
from deploys.environment import environment, image, in_group, secrets
from deploys.postgres.roles import CERTIFICATE
from operations import database, files
from operations import secrets as secret_files
from signupflow.render import compose_value, template

TEMPLATES = Path(__file__).parent / "templates"


@deploy("Schema")
def schema() -> None:
    env = environment()
    if not in_group("db") or not env.app_migration_command or not uses_database(env):
        return
    app_image = image(env.app_image)
    command = [compose_value(word) for word in env.app_migration_command]
    migrator = f"/etc/signupflow/secrets/schema-{env.app_name}"
    secret_files.directory(
        name="Migrator's database URL", path=migrator, values=secret_values(env, secrets(), role="migrator"), uid=env.app_user
    )
    directory, values = f"/opt/signupflow/schema-{env.app_name}", secrets()
    files.config(
        name="Whom to trust as PostgreSQL", dest=f"{directory}/trust/{CERTIFICATE}", content=values["postgres_tls_certificate"]
    )
    database.migrated(
        name=f"Schema {app_image.schema_revision or 'of this image'}",
        database=env.postgres_database,
        revision=app_image.schema_revision,
        identity=f"{app_image.on_host} {' '.join(env.app_migration_command)}",
        directory=directory,
        compose=template(TEMPLATES / "compose.yaml.j2", env=env, image=app_image.on_host, secrets=migrator, command=command),
    )
