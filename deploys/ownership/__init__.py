"""Whose hosts these are: asked before any change, and written as the first."""

from __future__ import annotations

from gevent.lock import RLock
from pyinfra import host, inventory, state
from pyinfra.api import deploy

from deploys.app.configuration import uses_database
from deploys.environment import environment, fleet, refuse
from facts.ownership import HostOwner
from operations import files
from operations.delegate import connectable
from signupflow import ownership
from signupflow.ownership import Seen, Wanted

_seen: dict[str, Seen] = {}
_looking = RLock()


def check(recovering: bool = False) -> None:
    """End the run when a host is another environment's or another app's, or when the database would be left behind."""
    found = ownership.refusals(_wanted(), _hosts(), recovering)
    if found:
        refuse("; ".join(found))


@deploy("Host")
def claim() -> None:
    """The first change: from now on the host says whose it is, and where its database is."""
    files.config(name="Write the owner", dest=ownership.PATH, content=ownership.owner(_wanted(), host.name, _hosts()).text())


def release() -> None:
    """A host that has left says nothing any more: another environment may have it."""
    files.absent(name="Remove the owner", path=ownership.PATH)


def _wanted() -> Wanted:
    env = environment()
    return Wanted(env.environment, env.app_name, env.postgres_database, fleet().host_with_role("db").name, uses_database(env))


def _hosts() -> dict[str, Seen]:
    """The run's hosts, and the database's although the run leaves it out; pyinfra runs a deploy's file for each host, and they
    are asked once."""
    with _looking:
        if not _seen:
            database = fleet().host_with_role("db").name
            asked = [item for item in inventory if item in state.activated_hosts or item.name == database]
            _seen.update({item.name: item.get_fact(HostOwner) for item in asked if connectable(item)})
    return _seen
