"""The edge: one Traefik that redirects, holds certificates and routes by files that the deploys own."""

from pathlib import Path

from pyinfra.api import deploy

from deploys.environment import environment, image, in_group
from operations import compose, files, images
from signupflow.render import template
from signupflow.shared.places import TRAEFIK, TRAEFIK_API_PORT

TEMPLATES = Path(__file__).parent / "templates"
DIRECTORY = "/opt/signupflow/traefik"
DYNAMIC = f"{DIRECTORY}/config/dynamic"
STATE = "/var/lib/signupflow/traefik"


@deploy("Traefik")
def traefik() -> None:
    if not in_group("edge"):
        return
    env = environment()
    traefik_image = image(env.traefik_image)
    authority = Path(env.acme_ca_file).read_text() if env.acme_ca_file else ""
    images.present(name="Image", image=traefik_image, prune=True)
    compose.directory(name="State (certificates)", path=STATE, mode="0700", uid=0)
    # A file of its own that restarts nothing: the app stage writes its routes beside it.
    files.config(
        name="Security headers and TLS options",
        dest=f"{DYNAMIC}/security.yaml",
        content=template(TEMPLATES / "security.yaml.j2"),
    )
    stack_files = {
        "compose.yaml": template(
            TEMPLATES / "compose.yaml.j2",
            image=traefik_image.on_host,
            name=TRAEFIK,
            api_port=TRAEFIK_API_PORT,
            state=STATE,
            private_ca=bool(authority),
        ),
        "config/traefik.yaml": template(
            TEMPLATES / "traefik.yaml.j2",
            email=env.acme_email,
            directory=env.acme_directory,
            certificate_hours=env.acme_certificate_hours,
            api_port=TRAEFIK_API_PORT,
        ),
    }
    if authority:
        stack_files["config/acme-ca.pem"] = authority
    compose.stack(
        name="Stack",
        service="traefik",
        directory=DIRECTORY,
        files=stack_files,
        image_id=traefik_image.image_id,
        allow_interrupts=env.may_interrupt,
    )
