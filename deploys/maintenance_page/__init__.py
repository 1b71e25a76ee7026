"""The maintenance page before an app: up and down, on the edge. The app goes on running behind it.

Its server is busybox from the distribution, run inside the proxy's own image: nothing has to be fetched when it is needed.
"""

from __future__ import annotations

from pathlib import Path

from pyinfra.api import deploy

from deploys.environment import environment, image, in_group
from deploys.traefik import DYNAMIC
from operations import compose, files, system
from signupflow.maintenance import router, routes
from signupflow.render import template
from signupflow.shared.places import TRAEFIK_API

TEMPLATES = Path(__file__).parent / "templates"
DIRECTORY = "/opt/signupflow/maintenance"
SERVICE = "maintenance"
API = f"{TRAEFIK_API}/api/http/routers"


def page_path(app: str) -> str:
    """The file of routes; its being there is what "maintenance is on" means."""
    return f"{DYNAMIC}/app-{app}-maintenance.yaml"


@deploy("Maintenance page")
def up() -> None:
    """First its server, then the routes, which Traefik confirms."""
    if not in_group("edge"):
        return
    server()
    files.config(
        name="Route traffic to the page",
        dest=page_path(environment().app_name),
        content=page_routes(environment().reason or "maintenance"),
        apply=_confirmed(200),
        holds=_confirmed(200),
    )


def server() -> None:
    """On the edge: what serves the page, once somebody is routed to it."""
    env = environment()
    proxy = image(env.traefik_image)
    system.packages(name="Install busybox", names=["busybox-static"])
    compose.stack(
        name="Start the server",
        service=SERVICE,
        directory=DIRECTORY,
        files={
            "compose.yaml": template(TEMPLATES / "compose.yaml.j2", image=proxy.on_host),
            "page/index.html": template(TEMPLATES / "index.html.j2", app=env.app_name),
        },
        image_id=proxy.image_id,
        # It serves nobody but people who are turned away.
        allow_interrupts=(SERVICE,),
    )


def page_routes(why: str) -> str:
    env = environment()
    return routes(env.app_name, env.domains, env.health_path, env.maintenance_retry_seconds, why)


@deploy("Maintenance page")
def down() -> None:
    """First the routes go, and when Traefik confirms, the server."""
    if not in_group("edge"):
        return
    files.absent(name="Route traffic to the app", path=page_path(environment().app_name), apply=_confirmed(404))
    compose.gone(name="Remove the server", service=SERVICE, directory=DIRECTORY)


def _confirmed(status: int) -> str:
    """A condition that Traefik has taken up the change for every domain, waited for a few seconds."""
    env = environment()
    ask = "curl --silent -m 5 -o /dev/null --write-out '%{http_code}'"
    asked = " && ".join(f'test "$({ask} {API}/{router(env.app_name, domain)})" = {status}' for domain in env.domains)
    return f"for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ( {asked} ) && break; sleep 0.25; done; {asked}"
