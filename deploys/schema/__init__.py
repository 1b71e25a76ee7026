"""The schema step: once for the fleet, from the new image, as the migrator role, before any replica starts."""

from pathlib import Path

from pyinfra import host, inventory
from pyinfra.api import deploy

from deploys.app.configuration import secret_values, uses_database
from deploys.environment import environment, image, in_group, secrets
from operations import database
from operations import secrets as secret_files
from signupflow.render import compose_value, template

TEMPLATES = Path(__file__).parent / "templates"


@deploy("Schema")
def schema() -> None:
    env = environment()
    if not in_group("app") or not env.app_migration_command or not uses_database(env):
        return
    if host.name != inventory.get_group("app")[0].name:
        return
    app_image = image(env.app_image)
    command = [compose_value(word) for word in env.app_migration_command]
    migrator = f"/etc/signupflow/secrets/schema-{env.app_name}"
    secret_files.directory(
        name="Migrator's database URL", path=migrator, values=secret_values(env, secrets(), role="migrator"), uid=env.app_user
    )
    database.migrated(
        name=f"Schema {app_image.schema_revision or 'of this image'}",
        database=env.postgres_database,
        revision=app_image.schema_revision,
        identity=f"{app_image.on_host} {' '.join(env.app_migration_command)}",
        directory=f"/opt/signupflow/schema-{env.app_name}",
        compose=template(TEMPLATES / "compose.yaml.j2", env=env, image=app_image.on_host, secrets=migrator, command=command),
    )
