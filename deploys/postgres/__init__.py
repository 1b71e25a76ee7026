"""PostgreSQL: one server in a container, its data on the host, roles that each can do one thing."""

from pathlib import Path

from pyinfra import host
from pyinfra.api import deploy

from deploys import backups
from deploys.backups.configuration import STANZA
from deploys.environment import environment, fleet, image, in_group, secrets
from deploys.postgres.roles import role_digests, roles_sql
from facts.database import PSQL
from operations import compose, database, files, images
from operations import secrets as secret_files
from signupflow.render import template
from signupflow.secretfile import Secrets
from signupflow.settings import Environment
from signupflow.shared import places
from signupflow.shared.places import POSTGRES, POSTGRES_DATA, POSTGRES_UID

TEMPLATES = Path(__file__).parent / "templates"
DIRECTORY = "/opt/signupflow/postgres"
SECRETS = "/etc/signupflow/secrets/postgres"
# Not `docker kill --signal HUP`: whatever the signal, Docker then counts the container as stopped by hand and never restarts it.
# One that does not run reads the file when it starts; one that runs and does not take it is a failure.
RUNS = f'test "$(docker inspect --format "{{{{.State.Status}}}}" {POSTGRES} 2>/dev/null)" = running'
RELOAD = f"if {RUNS}; then {PSQL} -d postgres -c 'select pg_reload_conf()' >/dev/null; fi"


@deploy("PostgreSQL")
def postgres() -> None:
    if not in_group("db"):
        return
    env, values = environment(), secrets()
    postgres_image = image(env.postgres_image)
    images.present(name="Load the image", image=postgres_image, prune=True)
    compose.directory(name="Create the data directory", path=POSTGRES_DATA, mode="0700", uid=POSTGRES_UID)
    key = {name: values[name] for name in ("postgres_tls_certificate", "postgres_tls_key")}
    secret_files.directory(name="Write the server certificate and key", path=SECRETS, values=key, uid=POSTGRES_UID)
    backups.configured()
    # A file of its own that restarts nothing: an app host that comes or goes is a reload.
    files.config(
        name="Write pg_hba.conf",
        dest=f"{DIRECTORY}/config/pg_hba.conf",
        content=template(TEMPLATES / "pg_hba.conf.j2", database=env.postgres_database, clients=fleet().database_clients()),
        apply=RELOAD,
    )
    compose.stack(
        name="Start the stack",
        service="postgres",
        directory=DIRECTORY,
        files={
            "compose.yaml": template(
                TEMPLATES / "compose.yaml.j2",
                image=postgres_image.on_host,
                name=POSTGRES,
                data=POSTGRES_DATA,
                secrets=SECRETS,
                memory=env.postgres_memory,
                address=fleet().member(host.name).private_address if fleet().database_clients() else "",
                backed_up=env.backed_up,
                stanza=STANZA,
                places=places,
            ),
            "config/postgresql.conf": template(
                TEMPLATES / "postgresql.conf.j2", max_connections=env.postgres_max_connections, backed_up=env.backed_up
            ),
        },
        image_id=postgres_image.image_id,
        secret_digests={name: values.digest(value) for name, value in key.items()},
        seconds=120,
        allow_interrupts=env.may_interrupt,
    )
    _roles(env, values)


@deploy("Database roles")
def roles() -> None:
    """The roles alone, as when their passwords rotate."""
    if in_group("db"):
        _roles(environment(), secrets())


def _roles(env: Environment, values: Secrets) -> None:
    database.roles(
        name="Create roles and database",
        database=env.postgres_database,
        sql=roles_sql(env.postgres_database, values),
        digests=role_digests(env.postgres_database, values),
    )
