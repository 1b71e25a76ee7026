"""PostgreSQL: one server in a container, its data on the host, roles that each can do one thing."""

from pathlib import Path

from pyinfra.api import deploy

from deploys.environment import environment, image, in_group, secrets
from deploys.postgres.roles import role_digests, roles_sql
from operations import compose, database, images
from signupflow.render import template

TEMPLATES = Path(__file__).parent / "templates"
DIRECTORY = "/opt/signupflow/postgres"
DATA = "/var/lib/signupflow/postgres"
UID = 999  # user postgres of the official image


@deploy("PostgreSQL")
def postgres() -> None:
    if not in_group("db"):
        return
    env, values = environment(), secrets()
    postgres_image = image(env.postgres_image)
    images.present(name="Image", image=postgres_image)
    compose.directory(name="Data directory", path=DATA, mode="0700", uid=UID)
    compose.stack(
        name="Stack",
        service="postgres",
        directory=DIRECTORY,
        files={
            "compose.yaml": template(
                TEMPLATES / "compose.yaml.j2",
                image=postgres_image.on_host,
                data=DATA,
                memory=env.postgres_memory,
            ),
            "config/postgresql.conf": template(TEMPLATES / "postgresql.conf.j2", max_connections=env.postgres_max_connections),
            "config/pg_hba.conf": template(TEMPLATES / "pg_hba.conf.j2", database=env.postgres_database),
        },
        image_id=postgres_image.image_id,
        seconds=120,
        allow_interrupts=env.allow_interrupts,
    )
    database.roles(
        name="Roles and database",
        database=env.postgres_database,
        sql=roles_sql(env.postgres_database, values),
        digests=role_digests(env.postgres_database, values),
    )
