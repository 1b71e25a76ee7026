"""The edge: one Traefik that redirects, holds certificates and routes by files that the deploys own."""

from pathlib import Path

from pyinfra.api import deploy

from deploys.environment import environment, image, in_group
from operations import compose, files, images
from signupflow.render import template
from signupflow.settings.edge import Edge
from signupflow.shared.places import TRAEFIK, TRAEFIK_API_PORT

TEMPLATES = Path(__file__).parent / "templates"
DIRECTORY = "/opt/signupflow/traefik"
DYNAMIC = f"{DIRECTORY}/config/dynamic"
STATE = "/var/lib/signupflow/traefik"


# Go would take a megabyte of headers of each connection; app servers take 8 to 64 kB.
HEADER_BYTES = 32 * 1024


def static(env: Edge) -> str:
    """What Traefik reads once, at its start."""
    return template(
        TEMPLATES / "traefik.yaml.j2",
        email=env.acme_email,
        directory=env.acme_directory,
        certificate_hours=env.acme_certificate_hours,
        api_port=TRAEFIK_API_PORT,
        header_bytes=HEADER_BYTES,
        read_seconds=env.edge_read_seconds,
        proxies=env.trusted_edge_proxies,
        proxy_protocol=env.edge_proxy_protocol,
    )


def security(env: Edge) -> str:
    """What holds for every answer and every client, whatever is routed."""
    return template(TEMPLATES / "security.yaml.j2", in_flight=env.edge_requests_in_flight, forwarded=env.forwarding_proxies)


@deploy("Traefik")
def traefik() -> None:
    if not in_group("edge"):
        return
    env = environment()
    traefik_image = image(env.traefik_image)
    authority = Path(env.acme_ca_file).read_text() if env.acme_ca_file else ""
    images.present(name="Load the image", image=traefik_image, prune=True)
    compose.directory(name="Create the certificate directory", path=STATE, mode="0700", uid=0)
    # A file of its own that restarts nothing: the app stage writes its routes beside it.
    files.config(
        name="Write security headers, limits and TLS options",
        dest=f"{DYNAMIC}/security.yaml",
        content=security(env),
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
        "config/traefik.yaml": static(env),
    }
    if authority:
        stack_files["config/acme-ca.pem"] = authority
    compose.stack(
        name="Start the stack",
        service="traefik",
        directory=DIRECTORY,
        files=stack_files,
        image_id=traefik_image.image_id,
        allow_interrupts=env.may_interrupt,
    )
