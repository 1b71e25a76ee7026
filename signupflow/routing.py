"""Traefik's dynamic configuration of an app, in two files: what is routed, and who serves.

The first (`routers`) follows from settings alone. The second (`Serving`) is the record of which
generation serves on which host; releases change it one host at a time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

LINE = re.compile(r"^# (\S+) generation (\d+) at ((?:\S+ ?)+)$", re.MULTILINE)

# A lost host is out within the sum of the first two, in seconds. Each failed try of a request costs the third.
CHECK_INTERVAL, CHECK_TIMEOUT, DIAL_TIMEOUT = 0.5, 0.5, 0.5

# A try every 100 to 200 ms: the last of them come when a health check has taken the lost server out.
RETRIES = 12


def routers(app: str, domains: Sequence[str], response_seconds: int) -> str:
    """One router for each domain, because each then gets a certificate of its own.

    A request that no server took is sent to another. One that a server took and did not answer is
    sent again only when its method is idempotent (Traefik never repeats POST or PATCH after it wrote them).
    """
    document = {
        "http": {
            "routers": {
                f"{app}-{domain.replace('.', '-')}": {
                    "rule": f"Host(`{domain}`)",
                    "entryPoints": ["websecure"],
                    "middlewares": ["security-headers@file", f"{app}-retry"],
                    "service": app,
                    "tls": {"certResolver": "acme", "options": "default"},
                }
                for domain in domains
            },
            "middlewares": {
                f"{app}-retry": {"retry": {"attempts": RETRIES, "initialInterval": "100ms", "status": ["502", "504"]}}
            },
            "serversTransports": {
                app: {
                    "maxIdleConnsPerHost": 100,
                    "forwardingTimeouts": {
                        "dialTimeout": f"{DIAL_TIMEOUT}s",
                        "responseHeaderTimeout": f"{response_seconds}s",
                    },
                }
            },
        }
    }
    return "# Written by deploys/app.\n" + yaml.safe_dump(document, sort_keys=False)


@dataclass(frozen=True)
class Served:
    """What serves on one host: a generation and its servers' URLs."""

    generation: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Serving:
    """Host name to what serves there. It is kept in the file itself, as comments."""

    hosts: Mapping[str, Served] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Serving:
        """Read a file that `render` wrote; nothing serves when there is none."""
        lines = LINE.findall(text or "")
        return cls({host: Served(int(generation), tuple(urls.split())) for host, generation, urls in lines})

    def generation(self, host: str) -> int:
        """Generation that serves on a host; 0 for none."""
        return self.hosts[host].generation if host in self.hosts else 0

    def having(self, host: str, generation: int, urls: Sequence[str]) -> Serving:
        """The same with one host's servers replaced."""
        if not urls:
            raise ValueError("an empty list of servers would take the host out; `without` does that")
        return Serving({**self.hosts, host: Served(generation, tuple(urls))})

    def without(self, host: str) -> Serving:
        """The same with one host taken out; refused when nothing would be left."""
        return self.only([name for name in self.hosts if name != host])

    def only(self, names: Collection[str]) -> Serving:
        """The same with all other hosts taken out; refused when nothing would be left."""
        left = {name: served for name, served in self.hosts.items() if name in names}
        if self.hosts and not left:
            raise ValueError("no server would be left; add a host before the last one is removed")
        return Serving(left)

    @property
    def urls(self) -> list[str]:
        return [url for _, served in sorted(self.hosts.items()) for url in served.urls]

    def render(self, app: str, ready_path: str, domain: str) -> str:
        """The file: service `app` sends to servers that pass their health check, and to all when none passes.

        A check that fails on a busy machine must not take the last server out. Several servers are checked;
        with one there is nobody else to send to.
        """
        if not self.hosts:
            raise ValueError("an empty list of servers would empty the routing")
        balancer = {"servers": [{"url": url} for url in self.urls], "passHostHeader": True, "serversTransport": app}
        every, passing = every_server(app), passing_servers(app)
        services: dict[str, object] = {every: {"loadBalancer": balancer}}
        if len(self.urls) > 1:
            check = {
                "path": ready_path,
                "hostname": domain,
                "interval": f"{CHECK_INTERVAL}s",
                "timeout": f"{CHECK_TIMEOUT}s",
            }
            services[passing] = {"loadBalancer": {**balancer, "healthCheck": check}}
            services[app] = {"failover": {"service": passing, "fallback": every}}
        else:
            services[app] = {"weighted": {"services": [{"name": every}]}}
        known = [
            f"# {host} generation {served.generation} at {' '.join(served.urls)}\n" for host, served in sorted(self.hosts.items())
        ]
        text = yaml.dump({"http": {"services": services}}, Dumper=_Plain, sort_keys=False)
        return "# Written by deploys/app; releases read the lines below.\n" + "".join(known) + text


class _Plain(yaml.SafeDumper):
    """Writes what two services share out twice: an alias says the same and is harder to read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def every_server(app: str) -> str:
    """Name of the service that has all servers of an app, in whatever state."""
    return f"{app}-every"


def passing_servers(app: str) -> str:
    """Name of the service whose servers are health-checked; there is none with a single server."""
    return f"{app}-passing"


def replica_names(app: str, generation: int, replicas: int) -> list[str]:
    """Container names that Compose gives the replicas of one generation; no two generations share one."""
    return [f"{app}-g{generation}-app-{number}" for number in range(1, replicas + 1)]
