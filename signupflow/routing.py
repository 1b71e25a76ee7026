"""Traefik's dynamic configuration of the app: which replicas of which generation serve which domains."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

GENERATION = re.compile(r"^# generation (\d+)$", re.MULTILINE)


def replica_names(app: str, generation: int, replicas: int) -> list[str]:
    """Container names that Compose gives the replicas of one generation; no two generations share one."""
    return [f"{app}-g{generation}-app-{number}" for number in range(1, replicas + 1)]


def routes(app: str, generation: int, servers: Sequence[str], port: int, domains: Sequence[str]) -> str:
    """The dynamic file. One router for each domain, because each then gets a certificate of its own."""
    if not servers:
        raise ValueError("an empty list of servers would empty the routing")
    document = {
        "http": {
            "routers": {
                f"{app}-{domain.replace('.', '-')}": {
                    "rule": f"Host(`{domain}`)",
                    "entryPoints": ["websecure"],
                    "middlewares": ["security-headers@file"],
                    "service": app,
                    "tls": {"certResolver": "acme", "options": "default"},
                }
                for domain in domains
            },
            "services": {
                app: {
                    "loadBalancer": {
                        "servers": [{"url": f"http://{name}:{port}"} for name in servers],
                        "passHostHeader": True,
                    }
                }
            },
        }
    }
    return f"# generation {generation}\n" + yaml.safe_dump(document, sort_keys=False)


def routed_generation(text: str | None) -> int:
    """Generation that a dynamic file routes to; 0 for none."""
    match = GENERATION.search(text or "")
    return int(match[1]) if match else 0
