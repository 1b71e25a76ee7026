"""The app: any image with a port, a health path and an environment, released generation by generation."""

from pathlib import Path

from pyinfra import host, inventory, state
from pyinfra.api import deploy

from deploys.app.configuration import secret_values, secret_variables, uses_database
from deploys.app.networks import APP_BRIDGE, APP_NETWORK, networks
from deploys.environment import environment, fleet, image, in_group, secrets
from deploys.postgres.roles import CERTIFICATE
from deploys.traefik import DYNAMIC
from operations import compose, files, images
from operations import release as releases
from signupflow.render import compose_value, template
from signupflow.routing import routers

TEMPLATES = Path(__file__).parent / "templates"


@deploy("App image")
def app_image() -> None:
    """A stage of its own: the schema step needs the image, on the database's host, before the release does."""
    if in_group("app") or (in_group("db") and environment().app_migration_command):
        images.present(name="Present", image=image(environment().app_image))


@deploy("App")
def release() -> None:
    """Routes, then one host after another in the inventory's order; none after the first that fails."""
    env = environment()
    if in_group("edge"):
        files.config(
            name="Routers of each domain",
            dest=f"{DYNAMIC}/app-{env.app_name}.yaml",
            content=routers(env.app_name, env.domains, env.app_response_seconds),
        )
        releases.only(name="Routes lead to hosts of the inventory only", route=route())
    if in_group("app"):
        compose.directory(name="Data directory", path=data_directory(), mode="0750", uid=env.app_user)
        if APP_NETWORK in networks(fleet(), host.name, uses_database(env)):
            compose.network(name="Network", network=APP_NETWORK, bridge=APP_BRIDGE)
    releases.begin(name="Turns begin")
    for name in host.loop([item.name for item in inventory.get_group("app")]):
        if name == host.name:
            new = image(env.app_image)
            releases.generation(
                name=f"Release {new.version or new.on_host} on {name}", release=desired(), _if=lambda: not state.failed_hosts
            )


@deploy("App")
def leave() -> None:
    """Out of the routes first, and stopped when the edge confirms that nothing is sent here any more."""
    if in_group("app"):
        releases.left(name=f"Leave {host.name}", release=desired())


def data_directory() -> str:
    return f"/var/lib/signupflow/app-{environment().app_name}"


def route() -> releases.Route:
    env = environment()
    return releases.Route(
        app=env.app_name,
        edge=fleet().holder("edge").name,
        path=f"{DYNAMIC}/app-{env.app_name}-servers.yaml",
        ready_path=env.ready_path,
        domain=env.domains[0],
        hosts=fleet().apps,
    )


def desired() -> releases.Release:
    """What the current app host should run."""
    env, values, hosts = environment(), secrets(), fleet()
    new, name = image(env.app_image), host.name
    secrets_directory = f"/etc/signupflow/secrets/app-{env.app_name}"
    variables = secret_variables(env, values, role="app_a")
    database = uses_database(env)
    address = "" if hosts.together(name, "edge") else hosts.member(name).private_address
    contents = {
        "compose.yaml": template(
            TEMPLATES / "compose.yaml.j2",
            env=env,
            image=new.on_host,
            variables={key: compose_value(value) for key, value in env.variables(hosts.trusted_proxies(name)).items()},
            secret_variables=sorted(variables),
            secrets=secrets_directory,
            data=data_directory(),
            networks=networks(hosts, name, database),
            database=database,
            database_address=hosts.database_address(name),
            address=address,
        )
    }
    if database:
        contents[f"trust/{CERTIFICATE}"] = values["postgres_tls_certificate"]
    return releases.Release(
        route=route(),
        directory=f"/opt/signupflow/app-{env.app_name}",
        files=contents,
        image_id=new.image_id,
        # Compose reads an env file as root; mounted files belong to the app's user.
        secrets=releases.SecretFiles(
            secrets_directory, secret_values(env, values, role="app_a"), env.app_user if env.app_secrets_as == "files" else 0
        ),
        secret_digests={key: values.digest(value) for key, value in variables.items()},
        replicas=env.app_replicas,
        address=address,
        first_port=env.app_private_port,
        port=env.app_port,
        health_path=env.app_health_path,
        start_seconds=env.app_start_seconds,
        stop_seconds=env.app_stop_seconds,
    )
