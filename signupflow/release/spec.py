"""What a host should run, as plain data: the image, its files and secrets, its servers, and how a rollout goes there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signupflow import fleet
from signupflow.names import replica_names
from signupflow.probe import Entry
from signupflow.release.rollout import Rollout
from signupflow.render import config_hash
from signupflow.routing import RouteTable

APP_LABEL = "org.signupflow.app"
GENERATION_LABEL = "org.signupflow.generation"


@dataclass(frozen=True)
class SecretFiles:
    """Secrets of a release: a directory for each generation under `parent`, so that a failed one leaves the others' alone."""

    parent: str
    values: Mapping[str, str] = field(repr=False)
    uid: int


@dataclass(frozen=True)
class RouteSpec:
    """Where an app's servers are written down and how they are asked: a file on the edge host, watched by Traefik.

    `hosts` are the app hosts of the inventory; whatever else the file names is gone.
    """

    app: str
    edge: str
    path: str
    ready_path: str
    domain: str
    hosts: tuple[str, ...]

    def render(self, serving: RouteTable) -> str:
        return serving.render(self.app, self.ready_path, self.domain)


@dataclass(frozen=True)
class Endpoints:
    """How one generation is reached, and what it is asked."""

    urls: tuple[str, ...]
    port: int
    health_path: str
    ready_path: str


@dataclass(frozen=True)
class ReleaseSpec:
    """What one app host should run, and how it gets there. Sizes and times are in the units their names say.

    `image` is what hosts call it, `image_id` its id where that is known. `files` are relative names to texts and include
    compose.yaml. `address` and `first_port` are where replicas are published; an empty `address` means that Traefik reaches
    them by name on this host. `rollout` carries the settings of a rollout; its generations are 0 until one is planned.
    """

    route: RouteSpec
    directory: str
    files: Mapping[str, str]
    image: str
    image_id: str
    repository: str
    version: str
    older_revisions: tuple[str, ...]
    secrets: SecretFiles
    secret_digests: Mapping[str, str]
    replicas: int
    address: str
    first_port: int
    port: int
    health_path: str
    start_seconds: int
    stop_seconds: int
    drained_signal: str
    check_command: tuple[str, ...]
    error_percent: float
    keep: int
    entries: tuple[Entry, ...]
    observe_path: str
    probe_rate: float
    rollout: Rollout

    @property
    def app(self) -> str:
        return self.route.app

    @property
    def desired(self) -> str:
        """The hash of all that makes a generation what it is."""
        reached = {"port": f"{self.port}"} | ({"ports": f"{self.first_port}"} if self.address else {})
        return config_hash({**self.files, **reached}, {"app": self.image_id}, self.secret_digests)

    def ports(self, generation: int) -> range:
        return fleet.ports(self.first_port, generation, self.replicas)

    def urls(self, generation: int) -> list[str]:
        """Servers of a generation as the edge reaches them; no two successive generations share one."""
        if self.address:
            return [f"http://{self.address}:{port}" for port in self.ports(generation)]
        return [f"http://{name}:{self.port}" for name in replica_names(self.app, generation, self.replicas)]

    def endpoints(self, generation: int) -> Endpoints:
        """How a generation that is made from this is reached and asked."""
        return Endpoints(tuple(self.urls(generation)), self.port, self.health_path, self.route.ready_path)

    def project(self, generation: int) -> str:
        """Directory of a generation's Compose project."""
        return f"{self.directory}/g{generation}"

    def secret_directory(self, generation: int) -> str:
        return f"{self.secrets.parent}/g{generation}"

    def environment(self, generation: int) -> str:
        """The project's .env."""
        ports = self.ports(generation)
        text = (
            "# Read by `docker compose`; written by deploys/app.\n"
            f"COMPOSE_PROJECT_NAME={self.app}-g{generation}\n"
            f"SIGNUPFLOW_GENERATION={generation}\n"
            f"SIGNUPFLOW_CONFIG_HASH={self.desired}\n"
            # How this generation is reached and asked, for a release that is rolled back to it one day.
            f"SIGNUPFLOW_URLS={','.join(self.urls(generation))}\n"
            f"SIGNUPFLOW_PORT={self.port}\n"
            f"SIGNUPFLOW_HEALTH_PATH={self.health_path}\n"
            f"SIGNUPFLOW_READY_PATH={self.route.ready_path}\n"
        )
        if self.address:
            text += f"SIGNUPFLOW_PORTS={ports[0]}" + (f"-{ports[-1]}\n" if len(ports) > 1 else "\n")
        return text


def endpoints(environment: str) -> Endpoints | None:
    """What a generation's .env says of how it is reached; None when it was made before that was kept, or is no such file."""
    found = dict(line.split("=", 1) for line in environment.splitlines() if "=" in line and not line.startswith("#"))
    try:
        return Endpoints(
            tuple(found["SIGNUPFLOW_URLS"].split(",")),
            int(found["SIGNUPFLOW_PORT"]),
            found["SIGNUPFLOW_HEALTH_PATH"],
            found["SIGNUPFLOW_READY_PATH"],
        )
    except (KeyError, ValueError):
        return None
