"""Traefik's dynamic configuration of an app, in two files: what is routed, and who serves.

The first (`routers`) follows from settings alone. The second (`Serving`) is the record of which
generation serves on which host; releases change it one host at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from signupflow.names import every_server, generation_service, generation_services, passing_servers, router

RULE = re.compile(r"Host\(`([^`]+)`\)")
LINE = re.compile(r"^# (\S+) generation (\d+)(?: weight (\d+))? at ((?:\S+ ?)+)$", re.MULTILINE)

# A lost host is out within the sum of the first two, in seconds. Each failed try of a request costs the third.
CHECK_INTERVAL, CHECK_TIMEOUT, DIAL_TIMEOUT = 0.5, 0.5, 0.5

# A try every 100 to 200 ms: the last of them come when a health check has taken the lost server out.
RETRIES = 12

# An idle connection to a server is closed by us before the server does: what is written into one that the server is closing is
# lost, and nobody can say whether it was taken. App servers keep theirs for 2 s (gunicorn), 5 s (uvicorn, Node) or more.
IDLE_SECONDS = 1


def routers(app: str, domains: Sequence[str], response_seconds: int, ordered: Collection[str] | None = None) -> str:
    """One router for each domain, because each then gets a certificate of its own.

    Traefik orders what is missing at each change of any route, and a CA's patience is five failures an hour: so of those that
    are not in `ordered` (by default all are) it orders none.

    A request that no server took is sent to another, whatever its method. One that was written to a server is not: what the
    app answers passes, a 502 of its own too, and what it is still at is not begun a second time. Nothing of a body is kept.
    """
    document = {
        "http": {
            "routers": {
                router(app, domain): {
                    "rule": f"Host(`{domain}`)",
                    "entryPoints": ["websecure"],
                    "middlewares": ["security-headers@file", f"{app}-retry"],
                    "service": app,
                    "tls": {
                        **({"certResolver": "acme"} if ordered is None or domain in ordered else {}),
                        "options": "default",
                    },
                }
                for domain in domains
            },
            # No `status`: for its sake Traefik keeps what is sent, up to 2 MB of each request, and repeats what was executed.
            "middlewares": {f"{app}-retry": {"retry": {"attempts": RETRIES, "initialInterval": "100ms"}}},
            "serversTransports": {
                app: {
                    "maxIdleConnsPerHost": 100,
                    "forwardingTimeouts": {
                        "dialTimeout": f"{DIAL_TIMEOUT}s",
                        "responseHeaderTimeout": f"{response_seconds}s",
                        "idleConnTimeout": f"{IDLE_SECONDS}s",
                    },
                }
            },
        }
    }
    return "# Written by deploys/app.\n" + yaml.safe_dump(document, sort_keys=False)


def routed_domains(text: str | None) -> frozenset[str]:
    """Domains that a file of routers (`routers`, the old service's) leads somewhere: those that serve now."""
    try:
        found = yaml.safe_load(text or "")
        rules = [str(item["rule"]) for item in found["http"]["routers"].values()]
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):
        return frozenset()  # no file, or none of ours: the run writes it anew
    return frozenset(domain for rule in rules for domain in RULE.findall(rule))


@dataclass(frozen=True)
class Backend:
    """One generation on one host: its servers' URLs, and the percentage of the host's traffic that it gets."""

    generation: int
    urls: tuple[str, ...]
    weight: int = 100


@dataclass(frozen=True)
class RouteTable:
    """Host name to what serves there: one generation, or two while traffic shifts. It is kept in the file itself, as comments."""

    hosts: Mapping[str, tuple[Backend, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> RouteTable:
        """Read a file that `render` wrote; nothing serves when there is none."""
        found: dict[str, tuple[Backend, ...]] = {}
        for host, generation, weight, urls in LINE.findall(text or ""):
            served = Backend(int(generation), tuple(urls.split()), int(weight or 100))
            found[host] = tuple(sorted((*found.get(host, ()), served), key=lambda item: item.generation))
        return cls(found)

    def generation(self, host: str) -> int:
        """Generation that serves on a host, or served before the one that is on its way; 0 for none."""
        return min(self.routed(host), default=0)

    def routed(self, host: str) -> tuple[int, ...]:
        """Generations of a host in the routes, ascending."""
        return tuple(served.generation for served in self.hosts.get(host, ()))

    def urls_of(self, host: str, generation: int) -> tuple[str, ...]:
        return next((served.urls for served in self.hosts.get(host, ()) if served.generation == generation), ())

    def having(self, host: str, generation: int, urls: Sequence[str]) -> RouteTable:
        """The same with all of one host's traffic at one generation."""
        if not urls:
            raise ValueError("an empty list of servers would take the host out; `without` does that")
        return RouteTable({**self.hosts, host: (Backend(generation, tuple(urls)),)})

    def sharing(self, host: str, old: int, new: int, urls: Sequence[str], percent: int) -> RouteTable:
        """The same with `percent` of one host's traffic at a new generation, and the rest where it was."""
        before = self.urls_of(host, old)
        if not urls or not before or not 0 < percent < 100:
            raise ValueError("a share needs servers of both generations and a percentage between 0 and 100")
        both = (Backend(old, before, 100 - percent), Backend(new, tuple(urls), percent))
        return RouteTable({**self.hosts, host: tuple(sorted(both, key=lambda item: item.generation))})

    def without(self, host: str) -> RouteTable:
        """The same with one host taken out; refused when nothing would be left."""
        return self.only([name for name in self.hosts if name != host])

    def only(self, names: Collection[str]) -> RouteTable:
        """The same with all other hosts taken out; refused when nothing would be left."""
        left = {name: served for name, served in self.hosts.items() if name in names}
        if self.hosts and not left:
            raise ValueError("no server would be left; add a host before the last one is removed")
        return RouteTable(left)

    @property
    def all(self) -> list[tuple[str, Backend]]:
        """Every generation that serves somewhere, by host and number."""
        return [(host, served) for host, generations in sorted(self.hosts.items()) for served in generations]

    @property
    def urls(self) -> list[str]:
        return [url for _, served in self.all for url in served.urls]

    def shares(self, app: str) -> dict[str, int]:
        """Service of each generation to its weight: a host with more replicas gets more."""
        return {generation_service(app, host, served.generation): served.weight * len(served.urls) for host, served in self.all}

    def render(self, app: str, ready_path: str, domain: str) -> str:
        """The file: `app` sends to generations whose servers pass their check, and to all servers when none passes.

        Each generation on each host is a service of its own, so that Traefik counts its answers apart and can give it a
        share. A check that fails on a busy machine must not take the last server out: then all are asked, unchecked.
        Several servers are checked; with one there is nobody else to send to.
        """
        if not self.hosts:
            raise ValueError("an empty list of servers would empty the routing")
        shares = [{"name": name, "weight": weight} for name, weight in self.shares(app).items()]
        checked = len(self.urls) > 1
        check = {
            "path": ready_path,
            "hostname": domain,
            "interval": f"{CHECK_INTERVAL}s",
            "timeout": f"{CHECK_TIMEOUT}s",
        }
        services: dict[str, object] = {}
        for host, served in self.all:
            balancer: dict[str, object] = {
                "servers": [{"url": url} for url in served.urls],
                "passHostHeader": True,
                "serversTransport": app,
            }
            if checked:
                balancer["healthCheck"] = check
            services[generation_service(app, host, served.generation)] = {"loadBalancer": balancer}
        if checked:
            servers = [{"url": url, "weight": served.weight} for _, served in self.all for url in served.urls]
            every = {"servers": servers, "passHostHeader": True, "serversTransport": app}
            services[every_server(app)] = {"loadBalancer": every}
            services[passing_servers(app)] = {"weighted": {"healthCheck": {}, "services": shares}}
            services[app] = {"failover": {"service": passing_servers(app), "fallback": every_server(app)}}
        else:
            services[app] = {"weighted": {"services": shares}}
        known = "".join(
            f"# {host} generation {served.generation}{f' weight {served.weight}' if served.weight != 100 else ''}"
            f" at {' '.join(served.urls)}\n"
            for host, served in self.all
        )
        text = yaml.dump({"http": {"services": services}}, Dumper=_Plain, sort_keys=False)
        return "# Written by deploys/app; releases read the lines below.\n" + known + text

    def unconfirmed(self, app: str, listed: str) -> str:
        """How Traefik's answer to /api/http/services differs from what should serve; empty when it is the same.

        `listed` is the JSON list. Compared are each generation's servers, their shares, and that no other generation is left.
        """
        try:
            found = {item["name"].partition("@")[0]: item for item in json.loads(listed) if item.get("provider") == "file"}
        except (ValueError, TypeError, KeyError, AttributeError):
            return "Traefik's API does not answer"
        mine = {name: item for name, item in found.items() if name.startswith(generation_services(app))}
        wanted = {generation_service(app, host, served.generation): set(served.urls) for host, served in self.all}
        serving = {
            name: {server["url"] for server in item.get("loadBalancer", {}).get("servers", [])} for name, item in mine.items()
        }
        if serving != wanted:
            return f"Traefik routes to {_listing(serving)}, not to {_listing(wanted)}"
        top = found.get(passing_servers(app)) if len(self.urls) > 1 else found.get(app)
        shares = {item["name"].partition("@")[0]: item["weight"] for item in (top or {}).get("weighted", {}).get("services", [])}
        expected = self.shares(app)
        if shares != expected:
            return f"Traefik's shares are {shares}, not {expected}"
        disabled = sorted(name for name in (*mine, app) if found.get(name, {}).get("status") != "enabled")
        return f"Traefik has disabled {', '.join(disabled)}" if disabled else ""


def _listing(servers: Mapping[str, Collection[str]]) -> str:
    return " ".join(sorted(url for urls in servers.values() for url in urls)) or "nothing"


class _Plain(yaml.SafeDumper):
    """Writes what two services share out twice: an alias says the same and is harder to read."""

    def ignore_aliases(self, data: object) -> bool:
        return True
