"""Names that are made from names, in one place: of two different apps, domains or hosts never the same.

Traefik takes dots and underscores. An app's name and a domain have no underscore, so it ends a part without doubt: the router of
`maintenance-a.org` is not the maintenance page's of `a.org`, and that of `a-b.org` is not that of `a.b.org`.
"""

from __future__ import annotations

import re

# What stands before an app's own routes: the maintenance page, and an old service that is not moved yet.
MAINTENANCE, LEGACY = "maintenance", "legacy"


def router(app: str, domain: str, layer: str = "") -> str:
    """Name of the router of a domain; `layer` is what it leads to in the app's place."""
    return "_".join(filter(None, (app, layer, domain)))


def generation_service(app: str, host: str, generation: int) -> str:
    """Name of one generation's service on one host, which is also how Traefik's metrics count it."""
    return f"{generation_services(app)}{_part(host)}-g{generation}"


def generation_services(app: str) -> str:
    """How the names of the services of all generations of an app begin."""
    return f"{app}-on-"


def every_server(app: str) -> str:
    """Name of the service that has all servers of an app, in whatever state; there is none with a single server."""
    return f"{app}-every"


def passing_servers(app: str) -> str:
    """Name of the service that sends to what passes its health check; there is none with a single server."""
    return f"{app}-passing"


def layer_service(app: str, layer: str) -> str:
    """Name of the service of what stands before an app's own routes."""
    return f"{app}-{layer}"


def replica_names(app: str, generation: int, replicas: int) -> list[str]:
    """Container names that Compose gives the replicas of one generation; no two generations share one."""
    return [f"{app}-g{generation}-app-{number}" for number in range(1, replicas + 1)]


def _part(text: str) -> str:
    """A host's name as part of another: what such names do not take is written as its code point between underscores."""
    return re.sub(r"[^a-z0-9.-]", lambda match: f"_{ord(match[0]):x}_", text)
