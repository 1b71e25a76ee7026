"""A host and an edge that a rollout can be tried on: they remember what runs and what is routed, and raise what they are told to.

They stand in the place of `operations.app_host.AppHost` and `operations.edge.Edge`, which only run commands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from operations.app_host import Replica
from operations.remote import UnreachableError
from signupflow.names import replica_names
from signupflow.probe import Entry
from signupflow.release import journal, watch
from signupflow.release.rollout import Rollout
from signupflow.release.spec import Endpoints, ReleaseSpec, RouteSpec, SecretFiles
from signupflow.routing import RouteTable

OLD, NEW = 7, 8
SPEC = ReleaseSpec(
    route=RouteSpec("app", "edge1", "/routes.yaml", "/ready", "app.test", ("web1", "web2")),
    directory="/opt/app",
    files={"compose.yaml": "services: {}"},
    image="app:2.0",
    image_id="sha256:new",
    repository="app",
    version="2.0",
    older_revisions=(),
    secrets=SecretFiles("/secrets", {}, 0),
    secret_digests={},
    replicas=2,
    address="",
    first_port=9000,
    port=8000,
    health_path="/health",
    start_seconds=0,
    stop_seconds=1,
    drained_signal="",
    check_command=("check",),
    error_percent=5,
    keep=3,
    entries=(Entry("192.0.2.1", "app.test"),),
    observe_path="/health",
    probe_rate=0,
    rollout=Rollout("web1", 0, 0, 2),
)
RELEASE = Rollout("web1", NEW, OLD, 2, soak_seconds=0.001, weights=(10, 50), bake_seconds=0.001)

Fault = Callable[[int, str], BaseException | None]


@dataclass
class Commands:
    """Every command that either of them was given, in order. `fault` may raise at one, before or after it has its effect."""

    fault: Fault = lambda number, name: None
    after: bool = False
    names: list[str] = field(default_factory=list)

    def of(self, where: str, name: str, effect: Callable[[], object]) -> object:
        number = len(self.names)
        self.names.append(f"{where}.{name}")
        error = self.fault(number, f"{where}.{name}")
        if error is not None and not self.after:
            raise error
        result = effect()
        if error is not None:
            raise error
        return result


class FakeHost:
    """An app host on which generation OLD serves. `containers` is generation to whether its replicas run."""

    prefix = "[web1] "

    def __init__(self, commands: Commands, name: str = "web1", serving: int = OLD) -> None:
        self.commands, self.name = commands, name
        self.containers: dict[int, bool] = {serving: True} if serving else {}
        self.restarts: dict[int, bool] = {serving: True} if serving else {}
        self.journal: list[str] = []
        self.removed: list[int] = []

    def _do(self, name: str, effect: Callable[[], object] = lambda: None) -> object:
        return self.commands.of("host", name, effect)

    def record(self, entry: journal.Entry) -> None:
        self._do("record", lambda: self.journal.append(entry.step))

    def write(self, generation: int) -> None:
        self._do("write")

    def endpoints(self, generation: int) -> Endpoints:
        self._do("endpoints")
        return SPEC.endpoints(generation)

    def start(self, generation: int) -> None:
        self._do("start", lambda: self.containers.update({generation: True}))

    def replicas(self, generation: int, asked: Endpoints | None = None) -> list[Replica]:
        self._do("replicas")
        running = self.containers.get(generation)
        if running is None:
            return []
        state = "running" if running else "exited"
        code = "200" if running else "000"
        return [Replica(name, state, 0, "healthy", 0, code, code) for name in replica_names("app", generation, 2)]

    def logs(self, name: str) -> str:
        self._do("logs")
        return "its log"

    def check(self, generation: int) -> str:
        self._do("check")
        return json.dumps({"version": "2.0", "schema": "abc"})

    def stop_replica(self, name: str) -> int:
        self._do("stop_replica")
        return 0

    def start_replica(self, name: str) -> None:
        self._do("start_replica")

    def full_share(self, generation: int) -> None:
        self._do("full_share")

    def promote(self, up: int, down: int) -> None:
        self._do("promote", lambda: self.restarts.update({up: True, down: False}))

    def start_stopped(self, generation: int, patience: float = 0) -> bool:
        def effect() -> bool:
            stopped = self.containers.get(generation) is False
            if stopped:
                self.containers[generation] = True
            return stopped

        return bool(self._do("start_stopped", effect))

    def stop(self, generation: int) -> list[str]:
        self._do("stop", lambda: self.containers.pop(generation, None))
        return []

    def forget(self, generation: int) -> None:
        self._do("forget", lambda: self.removed.append(generation))

    def prune(self, kept: Sequence[int]) -> None:
        self._do("prune")


class FakeEdge:
    """The routes of two hosts, and a Traefik that takes up each change at once."""

    name = "edge1"

    def __init__(self, commands: Commands, serving: int = OLD) -> None:
        self.commands = commands
        found = RouteTable().having("web2", 4, ["http://web2:1"])
        self.table = found.having("web1", serving, SPEC.urls(serving)) if serving else found

    def _do(self, name: str, effect: Callable[[], object] = lambda: None) -> object:
        return self.commands.of("edge", name, effect)

    def routes(self) -> RouteTable:
        self._do("routes")
        return self.table

    def write(self, serving: RouteTable) -> None:
        self._do("write", lambda: setattr(self, "table", serving))

    def confirm(self, serving: RouteTable) -> None:
        self._do("confirm")

    def counts(self) -> dict[str, watch.Count]:
        self._do("counts")
        return {}


def away(name: str) -> UnreachableError:
    return UnreachableError(f"{name} cannot be reached: timed out")
