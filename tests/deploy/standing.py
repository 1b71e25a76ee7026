"""A fleet as pyinfra prepares it, without a connection: hosts with roles and settings, and what each fact says of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from pyinfra.api import Config, FactBase, Host, Inventory, State
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from deploys import app, environment, ownership
from deploys.deployment import deployment
from deploys.release import existing_image
from operations import certificates
from operations.output import last
from signupflow.rotation import APP_PASSWORD, MIGRATOR_PASSWORD
from signupflow.secretfile import Secrets
from signupflow.settings.backups import PASSPHRASE
from tests.proofs.configuration import DEPLOY_EXAMPLE

PINNED = "signupflow/app:1.0.0@sha256:" + "0b" * 32
SETTINGS: dict[str, Any] = {
    **DEPLOY_EXAMPLE,
    "app_image": PINNED,
    "postgres_image": "postgres:17@sha256:" + "0c" * 32,
    "domains": ["a.helpers.org", "b.helpers.org"],
}
SECRETS = {
    **{name: f"a value of {name}, long enough" for name in ("digest_key", MIGRATOR_PASSWORD, APP_PASSWORD, PASSPHRASE)},
    **{name: f"a value of {name}" for name in ("postgres_tls_certificate", "postgres_tls_key")},
}
ONE = {"web1": ("edge", "app", "db")}
CLUSTER = {"edge1": ("edge",), "web1": ("app",), "web2": ("app",), "db1": ("db",)}


class Fleet:
    """Hosts and their facts. `facts` is host to fact class to value; what is not named says its default."""

    def __init__(self, roles: Mapping[str, Sequence[str]], limit: Sequence[str] = (), **settings: Any) -> None:
        addresses = {name: f"10.0.0.{number}" for number, name in enumerate(roles, 1)}
        hosts = [(name, {"private_address": addresses[name]}) for name in roles]
        groups: dict[str, tuple[list[str], dict[str, Any]]] = {
            role: ([name for name in roles if role in roles[name]], {}) for role in ("edge", "app", "db")
        }
        self.inventory = Inventory((hosts, {**SETTINGS, **settings}), **groups)
        self.state = State(self.inventory, Config())
        self.facts: dict[str, dict[type[FactBase[Any]], Any]] = {name: {} for name in roles}
        self.away: set[str] = set()
        for host in self.inventory:
            host.connected = True
            if not limit or host.name in limit:
                self.state.activate_host(host)

    def get_fact(self, host: Host, fact: type[FactBase[Any]], **arguments: Any) -> Any:
        found = self.facts[host.name].get(fact)
        if callable(found):
            return found(**arguments)
        return found if fact in self.facts[host.name] else fact.default()

    @contextlib.contextmanager
    def on(self, name: str) -> Iterator[Host]:
        host = self.inventory.get_host(name)
        with (
            ctx_state.use(self.state),
            ctx_inventory.use(self.inventory),
            ctx_config.use(self.state.config.copy()),
            ctx_host.use(host),
        ):
            yield host


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a fleet whose facts are the test's; nothing that a run remembers is left of an earlier one."""
    made: list[Fleet] = []

    def make(roles: Mapping[str, Sequence[str]], **settings: Any) -> Fleet:
        made.append(Fleet(roles, **settings))
        return made[-1]

    def get_fact(host: Host, fact: type[FactBase[Any]], **arguments: Any) -> Any:
        return made[-1].get_fact(host, fact, **arguments)

    monkeypatch.setattr(Host, "get_fact", get_fact)
    monkeypatch.setattr(environment, "_decrypted", lambda *_: Secrets(SECRETS))
    # This machine's DNS is asked nothing.
    monkeypatch.setattr(certificates, "leads_to", lambda domain: [])
    forget()
    yield make
    forget()


def forget() -> None:
    """What one process remembers of its run."""
    deployment.cache_clear()
    environment._settings.cache_clear()
    environment._chosen.clear()
    last.cache_clear()
    existing_image._found.clear()
    ownership._seen.clear()
    if hasattr(app, "_domains"):
        app._domains.cache_clear()
        app._resolved.cache_clear()
