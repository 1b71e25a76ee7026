"""What a rollout does on the edge: the app's routes, read, written and confirmed by Traefik, and Traefik's counters."""

from __future__ import annotations

import time

import gevent
from pyinfra.api import Host

from operations.app_host import file_script, read_script
from operations.remote import ScriptError, run
from signupflow.release import watch
from signupflow.release.spec import RouteSpec
from signupflow.routing import RouteTable
from signupflow.shared.places import TRAEFIK_API as TRAEFIK

# Traefik reads a changed file within milliseconds; this is for a machine that is busy with everything else.
CONFIRM_SECONDS = 15.0
POLL_SECONDS = 0.05


class UnconfirmedError(ScriptError):
    """Traefik does not serve what the routes say, within the time that it may take."""


class Edge:
    """The edge host, for the routes of one app."""

    def __init__(self, host: Host, route: RouteSpec) -> None:
        self.host, self.route = host, route

    @property
    def name(self) -> str:
        return str(self.host.name)

    def routes(self) -> RouteTable:
        return RouteTable.parse(run(self.host, read_script(self.route.path)))

    def write(self, serving: RouteTable) -> None:
        run(self.host, "set -e\n" + file_script(self.route.path, self.route.render(serving), "0644", 0))

    def unconfirmed(self, serving: RouteTable) -> str:
        """How what Traefik serves differs from the routes; empty when it is the same."""
        listed = run(self.host, f"curl --silent -m 5 '{TRAEFIK}/api/http/services?per_page=10000' || true")
        return serving.unconfirmed(self.route.app, listed)

    def confirm(self, serving: RouteTable) -> None:
        """Poll Traefik's API until it serves exactly this."""
        deadline = time.monotonic() + CONFIRM_SECONDS
        while said := self.unconfirmed(serving):
            if time.monotonic() >= deadline:
                raise UnconfirmedError(said)
            gevent.sleep(POLL_SECONDS)

    def counts(self) -> dict[str, watch.Count]:
        """Answers by service, from Traefik's metrics; none when they cannot be read now: they are looked at again soon."""
        try:
            return watch.counts(
                run(self.host, f"curl --silent -m 5 {TRAEFIK}/metrics | grep '^traefik_service_requests_total' || true")
            )
        except ScriptError:
            return {}
