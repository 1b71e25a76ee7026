"""The app: any image with a port, a health path and an environment, released generation by generation."""

from pathlib import Path

from pyinfra.api import deploy

from deploys.app.configuration import secret_values, secret_variables, uses_database
from deploys.environment import environment, image, in_group, secrets
from deploys.traefik import DYNAMIC
from operations import compose, images
from operations import release as releases
from signupflow.render import compose_value, template

TEMPLATES = Path(__file__).parent / "templates"


@deploy("App image")
def app_image() -> None:
    """A stage of its own: the schema step needs the image before the release does."""
    if in_group("app"):
        images.present(name="Present", image=image(environment().app_image))


@deploy("App")
def release() -> None:
    if not in_group("app"):
        return
    env, values = environment(), secrets()
    new = image(env.app_image)
    data, secrets_directory = f"/var/lib/signupflow/app-{env.app_name}", f"/etc/signupflow/secrets/app-{env.app_name}"
    # Compose reads an env file as root; mounted files belong to the app's user.
    secrets_uid = env.app_user if env.app_secrets_as == "files" else 0
    variables = secret_variables(env, values, role="app_a")
    compose.directory(name="Data directory", path=data, mode="0750", uid=env.app_user)
    releases.generation(
        name=f"Release {new.version or new.on_host}",
        release=releases.Release(
            app=env.app_name,
            directory=f"/opt/signupflow/app-{env.app_name}",
            compose=template(
                TEMPLATES / "compose.yaml.j2",
                env=env,
                image=new.on_host,
                variables={name: compose_value(value) for name, value in env.variables.items()},
                secret_variables=sorted(variables),
                secrets=secrets_directory,
                data=data,
                database=uses_database(env),
            ),
            image_id=new.image_id,
            secrets=releases.SecretFiles(secrets_directory, secret_values(env, values, role="app_a"), secrets_uid),
            secret_digests={name: values.digest(value) for name, value in variables.items()},
            replicas=env.app_replicas,
            port=env.app_port,
            health_path=env.app_health_path,
            domains=env.domains,
            dynamic_directory=DYNAMIC,
            start_seconds=env.app_start_seconds,
            stop_seconds=env.app_stop_seconds,
        ),
    )
