"""One host's turn in a release: the new generation beside the old, the switch, the drain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from facts.containers import Container, Containers
from facts.host_files import ManagedFile
from operations import secrets
from operations.compose import as_desired, up
from operations.files import differs, show, written
from signupflow.render import config_hash
from signupflow.routing import replica_names, routed_generation, routes

APP_LABEL = "org.signupflow.app"
GENERATION_LABEL = "org.signupflow.generation"
TRAEFIK_API = "http://127.0.0.1:8099/api/http/services"


@dataclass(frozen=True)
class SecretFiles:
    """Secrets of a release: a directory for each generation under `parent`, so that a failed one leaves the others' alone."""

    parent: str
    values: Mapping[str, str] = field(repr=False)
    uid: int


@dataclass(frozen=True)
class Release:
    """What one app host should run. Sizes are in the units their names say."""

    app: str
    directory: str
    compose: str
    image_id: str
    secrets: SecretFiles
    secret_digests: Mapping[str, str]
    replicas: int
    port: int
    health_path: str
    domains: tuple[str, ...]
    dynamic_directory: str
    start_seconds: int
    stop_seconds: int

    @property
    def desired(self) -> str:
        return config_hash({"compose.yaml": self.compose}, {"app": self.image_id}, self.secret_digests)


@operation()
def generation(release: Release) -> Iterator[StringCommand]:
    """Have this release serve, from a Compose project of its own generation.

    The new replicas come up beside the old ones and answer their health path before the routing
    file is renamed over; the old ones stop only after Traefik's API confirms that they are out.
    A failure before the switch removes the new generation and leaves the old one serving.
    """
    route_path = f"{release.dynamic_directory}/app-{release.app}.yaml"
    route = host.get_fact(ManagedFile, path=route_path)
    containers = host.get_fact(Containers, label=f"{APP_LABEL}={release.app}")
    current = routed_generation(route.content)
    serving = [item for item in containers if _generation(item) == current]
    strays = sorted({_generation(item) for item in containers} - {current})

    switching = not as_desired(serving, release.replicas, release.desired, release.image_id)
    target = max([current, *strays]) + 1 if switching else current
    names = replica_names(release.app, target, release.replicas)
    desired_route = routes(release.app, target, names, release.port, release.domains)
    routing = differs(route, desired_route, "0644", "root:root")
    delivering = list(secrets.owned(_secrets(release, target), release.secrets.values, release.secrets.uid))
    promoting = switching or any(item.restart != "unless-stopped" for item in serving)
    if not (switching or routing or promoting or delivering or strays):
        host.noop(f"{release.app} generation {current} serves as desired")
        return

    _announce(release, current)
    yield from delivering
    if switching:
        yield from _start(release, target, names)
    if promoting:
        # Before the route: a reboot in between must find what is routed to running.
        yield StringCommand("docker update --restart unless-stopped", *names, ">/dev/null")
    if routing:
        yield from written(route_path, desired_route, "0644", "root:root")
    # Also when an earlier run was cut off after the rename: nothing old stops before Traefik has let go of it.
    yield _confirm(release, names)
    for old in sorted({*strays, current} - {target, 0}):
        yield from _stop(release, old)


def _generation(item: Container) -> int:
    return int(item.labels.get(GENERATION_LABEL, "0"))


def _project(release: Release, number: int) -> str:
    return f"{release.directory}/g{number}"


def _secrets(release: Release, number: int) -> str:
    return f"{release.secrets.parent}/g{number}"


def _announce(release: Release, current: int) -> None:
    """Print what differs from the generation that serves, when pyinfra runs with --diff."""
    before = host.get_fact(ManagedFile, path=f"{_project(release, current)}/compose.yaml")
    if differs(before, release.compose, "0644", "root:root"):
        show(before, f"{release.directory}/compose.yaml", release.compose, "0644", "root:root")
    secrets.show(_secrets(release, current), release.secrets.values, release.secrets.uid)


def _start(release: Release, target: int, names: list[str]) -> Iterator[StringCommand]:
    """Bring the candidates up and ask each for its health; take them away again when one does not answer."""
    directory = _project(release, target)
    environment = (
        "# Read by `docker compose`; written by deploys/app.\n"
        f"COMPOSE_PROJECT_NAME={release.app}-g{target}\n"
        f"SIGNUPFLOW_GENERATION={target}\n"
        f"SIGNUPFLOW_CONFIG_HASH={release.desired}\n"
    )
    yield from written(f"{directory}/compose.yaml", release.compose, "0644", "root:root")
    yield from written(f"{directory}/.env", environment, "0644", "root:root")
    undo = (
        f"docker compose --project-directory {directory} down --timeout 5 >/dev/null 2>&1;"
        f" rm -rf {directory} {_secrets(release, target)}; exit 1"
    )
    yield StringCommand("(", up(directory, release.start_seconds), f") || {{ {undo}; }}")
    ask = (
        'address=$(docker inspect --format "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}" "$name" | cut -d" " -f1);'
        f" code=$(curl --silent -m 5 -o /dev/null --write-out '%{{http_code}}' --header 'Host: {release.domains[0]}'"
        f' "http://$address:{release.port}{release.health_path}")'
    )
    yield StringCommand(
        f"deadline=$(( $(date +%s) + {release.start_seconds} )); for name in {' '.join(names)}; do"
        f' until {ask}; test "$code" = 200; do if test $(date +%s) -ge $deadline; then'
        f' echo "$name: {release.health_path} answered $code, not 200, within {release.start_seconds} s" >&2;'
        f' docker logs --tail 40 "$name" >&2; {undo}; fi; sleep 0.2; done; done'
    )


def _confirm(release: Release, names: list[str]) -> StringCommand:
    """Poll Traefik's API until exactly the new servers are in; fail after 15 s with what it says instead."""
    url = f"{TRAEFIK_API}/{release.app}@file"
    wanted = " ".join(f"http://{name}:{release.port}" for name in names)
    listing = f'curl --silent --max-time 2 {url} | grep -oE \'"url": ?"[^"]+"\' | cut -d\'"\' -f4 | sort -u | xargs'
    return StringCommand(
        f'deadline=$(( $(date +%s) + 15 )); until test "$({listing})" = "{" ".join(sorted(wanted.split()))}";'
        f' do if test $(date +%s) -ge $deadline; then echo "Traefik does not route to {wanted}: $({listing})" >&2; exit 1; fi;'
        " sleep 0.1; done"
    )


def _stop(release: Release, number: int) -> Iterator[StringCommand]:
    """Stop an old generation with its grace period, and forget it. Works when its directory is already gone."""
    labels = f"--filter label={APP_LABEL}={release.app} --filter label={GENERATION_LABEL}={number}"
    yield StringCommand(
        f"docker ps -q {labels} | xargs -r docker stop --time {release.stop_seconds} >/dev/null &&",
        f"docker ps -aq {labels} | xargs -r docker rm --force >/dev/null && rm -rf",
        QuoteString(_project(release, number)),
        QuoteString(_secrets(release, number)),
    )
