"""Docker networks that a replica is attached to, by what shares its host."""

from __future__ import annotations

from signupflow.fleet import Fleet

# Made by the stacks they lead to, on those stacks' hosts.
EDGE_NETWORK, DATABASE_NETWORK = "signupflow-edge", "signupflow-database"

# The app's own way to other hosts. Its bridge has a name, so that the firewall can tell the app from other containers;
# `br-` is what the firewall knows Docker's bridges by.
APP_NETWORK, APP_BRIDGE = "signupflow-app", "br-sf-app"


def networks(fleet: Fleet, host: str, database: bool) -> list[str]:
    """Beside Traefik and PostgreSQL, their networks. Where one of them is on another host, the app's own.

    With several, Docker takes the default route from the first in alphabetical order that is not internal:
    the app's own comes before the edge's, so that what leaves for PostgreSQL's host leaves by the app's bridge.
    """
    edge, beside = fleet.colocated(host, "edge"), fleet.colocated(host, "db")
    names = []
    if not edge or (database and not beside):
        names.append(APP_NETWORK)
    if database and beside:
        names.append(DATABASE_NETWORK)
    if edge:
        names.append(EDGE_NETWORK)
    return names
