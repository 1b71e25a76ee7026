"""One host's turn in a release: the new generation beside the old, the switch at the edge, the drain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pyinfra import host, inventory
from pyinfra.api import Host, QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError

from facts.containers import Container, Containers
from facts.host_files import HostFile, ManagedFile
from operations import secrets
from operations.compose import as_desired
from operations.elsewhere import connected, on
from operations.files import differs, show, written
from signupflow import fleet
from signupflow.render import config_hash
from signupflow.routing import Serving, every_server, replica_names

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
class Route:
    """Where an app's servers are written down and how they are asked: a file on the edge host, watched by Traefik.

    `hosts` are the app hosts of the inventory; whatever else the file names is gone.
    """

    app: str
    edge: str
    path: str
    ready_path: str
    domain: str
    hosts: tuple[str, ...]

    def render(self, serving: Serving) -> str:
        return serving.render(self.app, self.ready_path, self.domain)


@dataclass(frozen=True)
class Release:
    """What one app host should run. Sizes are in the units their names say.

    `files` are relative names to texts and include compose.yaml. `address` and `first_port` are where
    replicas are published; an empty `address` means that Traefik reaches them by name on this host.
    """

    route: Route
    directory: str
    files: Mapping[str, str]
    image_id: str
    secrets: SecretFiles
    secret_digests: Mapping[str, str]
    replicas: int
    address: str
    first_port: int
    port: int
    health_path: str
    start_seconds: int
    stop_seconds: int

    @property
    def app(self) -> str:
        return self.route.app

    @property
    def desired(self) -> str:
        published = {"ports": f"{self.first_port}"} if self.address else {}
        return config_hash({**self.files, **published}, {"app": self.image_id}, self.secret_digests)

    def ports(self, generation: int) -> range:
        return fleet.ports(self.first_port, generation, self.replicas)

    def urls(self, generation: int) -> list[str]:
        """Servers of a generation as the edge reaches them; no two successive generations share one."""
        if self.address:
            return [f"http://{self.address}:{port}" for port in self.ports(generation)]
        return [f"http://{name}:{self.port}" for name in replica_names(self.app, generation, self.replicas)]


@operation()
def begin() -> Iterator[StringCommand]:
    """Every host gets here before the first turn: without it, hosts with more steps before would break the order."""
    host.noop("ready for the turns")
    return
    yield  # an operation is a generator


@operation()
def generation(release: Release) -> Iterator[PyinfraCommand]:
    """Have this release serve on this host, from a Compose project of its own generation.

    The new replicas come up beside the old ones and answer their health path before the edge's
    file is renamed over; the old ones stop only after Traefik's API confirms that they are out.
    A failure before the switch removes the new generation and leaves the old one serving.
    """
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    serving = Serving.parse(found.content)
    containers = host.get_fact(Containers, label=f"{APP_LABEL}={release.app}")
    current = serving.generation(host.name)
    running = [item for item in containers if _generation(item) == current]
    strays = sorted({_generation(item) for item in containers} - {current})

    switching = not as_desired(running, release.replicas, release.desired, release.image_id)
    target = _next(current, strays) if switching else current
    delivering = list(secrets.owned(_secrets(release, target), release.secrets.values, release.secrets.uid))
    promoting = switching or any(item.restart != "unless-stopped" for item in running)
    routing = switching or serving.hosts[host.name].urls != tuple(release.urls(current))
    if not (switching or routing or promoting or delivering or strays):
        host.noop(f"{release.app} generation {current} serves as desired")
        return

    _announce(release, current)
    if strays:
        # Left by a run that was cut off. Nothing stops before Traefik is known not to send there.
        yield from on(edge, _confirm(release.app, serving.urls))
        for stray in strays:
            yield from _stop(release, stray)
    yield from delivering
    names = replica_names(release.app, target, release.replicas)
    if switching:
        yield from _start(release, target, names)
    if promoting:
        # Before the route: a reboot in between must find what is routed to running.
        yield StringCommand("docker update --restart unless-stopped", *names, ">/dev/null")
    if routing:
        # Read again: other hosts had their turns since this one was planned.
        serving = Serving.parse(edge.get_fact(ManagedFile, path=release.route.path).content)
        serving = serving.having(host.name, target, release.urls(target)).only(release.route.hosts)
        yield from on(edge, written(release.route.path, release.route.render(serving), "0644", "root:root"))
        yield from on(edge, _confirm(release.app, serving.urls))
    if switching and current:
        yield from _stop(release, current)


@operation()
def left(release: Release) -> Iterator[PyinfraCommand]:
    """Take this host out: first out of the routes, and only when Traefik confirms, its replicas stop."""
    edge, found = _edge(release.route)
    if found is None:
        yield _unreachable(release.route)
        return
    serving = Serving.parse(found.content)
    generations = sorted({_generation(item) for item in host.get_fact(Containers, label=f"{APP_LABEL}={release.app}")})
    routed = host.name in serving.hosts
    if not routed and not generations:
        host.noop(f"{release.app} neither runs here nor is routed here")
        return
    if routed and len(serving.hosts) == 1:
        yield StringCommand(
            "echo", QuoteString(f"{host.name} alone serves {release.app}; release to another host first"), ">&2; exit 1"
        )
        return
    if routed:
        serving = serving.without(host.name)
        content = release.route.render(serving)
        show(found, release.route.path, content, "0644", "root:root")
        yield from on(edge, written(release.route.path, content, "0644", "root:root"))
    yield from on(edge, _confirm(release.app, serving.urls))
    for number in generations:
        yield from _stop(release, number)
    # With what a run that was killed before its first container left here.
    yield StringCommand("rm -rf", QuoteString(release.directory), QuoteString(release.secrets.parent))


@operation()
def only(route: Route) -> Iterator[StringCommand]:
    """On the edge: no route leads to a host that the inventory no longer has, and health checks are as set."""
    found = host.get_fact(ManagedFile, path=route.path)
    serving = Serving.parse(found.content)
    if not set(serving.hosts) & set(route.hosts):
        host.noop("nothing that stays is released yet")
        return
    serving = serving.only(route.hosts)
    content = route.render(serving)
    if not differs(found, content, "0644", "root:root"):
        host.noop(f"routes of {route.app} are as desired")
        return
    show(found, route.path, content, "0644", "root:root")
    yield from written(route.path, content, "0644", "root:root")
    yield from _confirm(route.app, serving.urls)


def _edge(route: Route) -> tuple[Host, HostFile | None]:
    """The edge host and its file of servers; None when the edge cannot be reached."""
    edge = inventory.get_host(route.edge)
    try:
        return edge, connected(edge).get_fact(ManagedFile, path=route.path)
    except ConnectError:
        return edge, None


def _unreachable(route: Route) -> StringCommand:
    return StringCommand(
        "echo", QuoteString(f"{route.edge}, which holds the routes, takes no SSH; nothing was changed"), ">&2; exit 1"
    )


def _generation(item: Container) -> int:
    return int(item.labels.get(GENERATION_LABEL, "0"))


def _next(current: int, strays: list[int]) -> int:
    """A number that was never used here, and of the other parity than what serves: parity decides the ports."""
    number = max([current, *strays]) + 1
    return number + 1 if current and number % 2 == current % 2 else number


def _project(release: Release, number: int) -> str:
    return f"{release.directory}/g{number}"


def _secrets(release: Release, number: int) -> str:
    return f"{release.secrets.parent}/g{number}"


def _announce(release: Release, current: int) -> None:
    """Print what differs from the generation that serves, when pyinfra runs with --diff."""
    for name, text in release.files.items():
        before = host.get_fact(ManagedFile, path=f"{_project(release, current)}/{name}")
        if differs(before, text, "0644", "root:root"):
            show(before, f"{release.directory}/{name}", text, "0644", "root:root")
    secrets.show(_secrets(release, current), release.secrets.values, release.secrets.uid)


def _start(release: Release, target: int, names: list[str]) -> Iterator[StringCommand]:
    """Bring the candidates up and ask each for its health; take them away again when one does not answer."""
    directory = _project(release, target)
    ports = release.ports(target)
    environment = (
        "# Read by `docker compose`; written by deploys/app.\n"
        f"COMPOSE_PROJECT_NAME={release.app}-g{target}\n"
        f"SIGNUPFLOW_GENERATION={target}\n"
        f"SIGNUPFLOW_CONFIG_HASH={release.desired}\n"
    )
    if release.address:
        environment += f"SIGNUPFLOW_PORTS={ports[0]}" + (f"-{ports[-1]}\n" if len(ports) > 1 else "\n")
    for name, text in release.files.items():
        yield from written(f"{directory}/{name}", text, "0644", "root:root")
    yield from written(f"{directory}/.env", environment, "0644", "root:root")
    undo = (
        f"docker compose --project-directory {directory} down --timeout 5 >/dev/null 2>&1;"
        f" rm -rf {directory} {_secrets(release, target)}; exit 1"
    )
    # Not `--wait`: Docker first asks after its whole interval, and an image need not say how it is asked.
    start = f"docker compose --project-directory {directory} up --detach --quiet-pull --remove-orphans"
    yield StringCommand(start, f"|| {{ {undo}; }}")
    ask = (
        'address=$(docker inspect --format "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}" "$name" | cut -d" " -f1);'
        f" code=$(curl --silent -m 5 -o /dev/null --write-out '%{{http_code}}' --header 'Host: {release.route.domain}'"
        f' "http://$address:{release.port}{release.health_path}")'
    )
    yield StringCommand(
        f"deadline=$(( $(date +%s) + {release.start_seconds} )); for name in {' '.join(names)}; do"
        f' until {ask}; test "$code" = 200; do'
        ' if test $(date +%s) -ge $deadline || test "$(docker inspect --format "{{.State.Running}}" "$name")" != true; then'
        ' state=$(docker inspect --format "{{.State.Status}}" "$name");'
        f' echo "$name ($state): {release.health_path} answered $code, not 200, within {release.start_seconds} s" >&2;'
        f' docker logs --tail 40 "$name" >&2; {undo}; fi; sleep 0.2; done; done'
    )


def _confirm(app: str, urls: Iterable[str]) -> Iterator[StringCommand]:
    """On the edge: poll Traefik's API until exactly these servers are in; fail after 15 s with what it says instead."""
    wanted = " ".join(sorted(urls))
    url = f"{TRAEFIK_API}/{every_server(app)}@file"
    listing = f'curl --silent --max-time 2 {url} | grep -oE \'"url": ?"[^"]+"\' | cut -d\'"\' -f4 | LC_ALL=C sort -u | xargs'
    yield StringCommand(
        f'deadline=$(( $(date +%s) + 15 )); until test "$({listing})" = "{wanted}";'
        f' do if test $(date +%s) -ge $deadline; then echo "Traefik does not route to {wanted}: $({listing})" >&2; exit 1; fi;'
        " sleep 0.1; done"
    )


def _stop(release: Release, number: int) -> Iterator[StringCommand]:
    """Stop a generation with its grace period, and forget it. Works when its directory is already gone."""
    labels = f"--filter label={APP_LABEL}={release.app} --filter label={GENERATION_LABEL}={number}"
    yield StringCommand(
        f"docker ps -q {labels} | xargs -r docker stop --time {release.stop_seconds} >/dev/null &&",
        f"docker ps -aq {labels} | xargs -r docker rm --force >/dev/null && rm -rf",
        QuoteString(_project(release, number)),
        QuoteString(_secrets(release, number)),
    )
