"""The maintenance page: Traefik's routes that put it before an app, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from signupflow import names

# Above any router of an app: Traefik's own priorities are the lengths of rules.
PRIORITY = 100_000
SERVER = "http://signupflow-maintenance:8098"


def routes(app: str, domains: Sequence[str], health_path: str, retry_seconds: int, said: str) -> str:
    """Each domain answers 503 with Retry-After and the page, but for its health path and what is below it.

    The status comes from a service that has no servers, so that it stays 503 when the page's own server is not there.
    The first line tells people who read the file, and `status.py`, since when and why.
    """
    name = names.layer_service(app, names.MAINTENANCE)
    document = {
        "http": {
            "routers": {
                names.router(app, domain, names.MAINTENANCE): {
                    "rule": f"Host(`{domain}`) && !PathPrefix(`{health_path}`)",
                    "priority": PRIORITY,
                    "entryPoints": ["websecure"],
                    "middlewares": ["security-headers@file", f"{name}-headers", f"{name}-page"],
                    "service": name,
                    # What the app's own routes have ordered serves here as well; nothing is ordered by this.
                    "tls": {"options": "default"},
                }
                for domain in domains
            },
            "middlewares": {
                f"{name}-headers": {
                    "headers": {"customResponseHeaders": {"Retry-After": str(retry_seconds), "Cache-Control": "no-store"}}
                },
                f"{name}-page": {"errors": {"status": ["503"], "service": f"{name}-page", "query": "/index.html"}},
            },
            "services": {
                name: {"loadBalancer": {"servers": []}},
                f"{name}-page": {"loadBalancer": {"servers": [{"url": SERVER}]}},
            },
        }
    }
    return f"# {said}\n" + yaml.safe_dump(document, sort_keys=False)


def router(app: str, domain: str) -> str:
    """Name by which Traefik's API knows the route of a domain."""
    return f"{names.router(app, domain, names.MAINTENANCE)}@file"
