"""One typed, frozen settings object per environment, made from pyinfra's inventory and group data.

The keys are flat so that any of them can be overridden on the command line (``--data app_replicas=3``). Every fault is
collected and named in one message. Each topic has a file of its own in this folder.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError, model_validator

from signupflow.errors import OperatorError
from signupflow.images import REFERENCE, Reference
from signupflow.settings import levels, overrides
from signupflow.settings.access import Access
from signupflow.settings.app import App
from signupflow.settings.backups import Backups
from signupflow.settings.database import Database
from signupflow.settings.edge import Edge
from signupflow.settings.forms import MERGED, TAG, Topic
from signupflow.settings.host import EveryHost
from signupflow.settings.legacy import OldService
from signupflow.settings.notifications import Notifications
from signupflow.settings.release import Release
from signupflow.settings.run import ThisRun

# In the order in which they are documented.
TOPICS: tuple[type[Topic], ...] = (
    *(Access, EveryHost, Edge, Database, App, Release, Backups, Notifications, OldService, ThisRun),
)

# Inventory keys that belong to pyinfra's connectors or to the lab.
FOREIGN_PREFIXES = ("ssh_", "lab_", "_", "webhook_")

# What this repository ships as an example; refused until it is replaced.
PLACEHOLDERS: dict[str, Any] = {
    "environment": "changeme",
    "deploy_public_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleEx ops@example.org"],
    "domains": ["signupflow.example.org"],
    "acme_email": "ops@example.org",
    "traefik_image": "traefik:v3.7@sha256:" + "0" * 64,
    "app_image": "your-registry/your-app:1",
}

# What may differ from host to host; all else is the environment's.
PER_HOST = {
    *("private_address", "app_replicas", "app_memory", "postgres_memory"),
    *("public_tcp_ports", "registry_mirrors", "journal_max_use", "journal_retention_days"),
}


class Environment(Access, EveryHost, Edge, Database, App, Release, Backups, Notifications, OldService, ThisRun):
    """Everything the deploys need to know of one environment."""

    @model_validator(mode="before")
    @classmethod
    def _versioned(cls, data: dict[str, Any]) -> dict[str, Any]:
        """`app_version` takes the place of the image's tag."""
        version, image = data.get("app_version"), data.get("app_image")
        if not isinstance(version, str) or not isinstance(image, str):
            return data
        if not TAG.fullmatch(version) or not REFERENCE.fullmatch(image):
            return data
        return {**data, "app_image": f"{Reference.parse(image).name}:{version}"}

    @model_validator(mode="after")
    def _old_service_moves_to_ours(self) -> Environment:
        ours = self.app_migration_command and self.app_smoke_command and self.app_secrets_as == "files"
        if self.legacy_sqlite_file and not ours:
            raise ValueError("legacy_sqlite_file needs app_migration_command, app_smoke_command and app_secrets_as = 'files'")
        return self

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Environment:
        """From a host's data, whatever else is in it; raises pydantic's ValidationError."""
        return cls(**{key: value for key, value in data.items() if not foreign(key)})

    def variables(self, trusted_proxies: str) -> dict[str, str]:
        """The app's plain variables with what only a deploy knows filled in."""
        return self.filled_in(
            {
                "profile": self.profile,
                "domains": ",".join(self.domains),
                "environment": self.environment,
                "trusted_proxies": trusted_proxies,
                "database_connections": str(self.app_database_connections),
            }
        )

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Names that the environment's secrets file must hold."""
        database = ("postgres_migrator_password", "postgres_app_password", "postgres_tls_certificate", "postgres_tls_key")
        return tuple(sorted({"digest_key", *database, *self.app_secrets.values(), *self.backup_secrets}))


# Setting to its type, and the settings whose keys add to what an earlier level says.
TYPES: dict[str, Any] = {name: field.annotation for name, field in Environment.model_fields.items()}
MERGED_SETTINGS = frozenset(name for name, field in Environment.model_fields.items() if MERGED in field.metadata)


def foreign(name: str) -> bool:
    """Whether a name in the inventory's data belongs to pyinfra's connectors or to the lab."""
    return name.startswith(FOREIGN_PREFIXES)


def of_levels(given: Sequence[Mapping[str, Any]], typed: Iterable[str] = ()) -> dict[str, Any]:
    """One host's data: `given`, the weakest level first, and above them `typed`, this run's `--data` as it was typed."""
    run = {name: value for name, value in overrides.read(typed, TYPES).items() if not foreign(name)}
    return levels.combined([*given, run], MERGED_SETTINGS)


def from_data(data: Mapping[str, Any], where: str) -> Environment:
    """Build the settings from a host's data; raise OperatorError that names every fault at once."""
    try:
        return Environment.of(data)
    except ValidationError as error:
        found = sorted(text for _, text in _explain(error))
        noun = "fault" if len(found) == 1 else "faults"
        raise OperatorError(f"settings of {where}: {len(found)} {noun}: " + "; ".join(found)) from None


def faults(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Setting to what is wrong with it, for whoever knows it by another name; none when all is well."""
    try:
        Environment.of(data)
    except ValidationError as error:
        return list(_explain(error))
    return []


def agree(environments: Mapping[str, Environment]) -> None:
    """Hosts read settings on each other's behalf (the edge routes to the app, the database's host migrates for it)."""
    (first, reference), *others = environments.items()
    for name, env in others:
        for key, value in env.model_dump(exclude=PER_HOST).items():
            if value != getattr(reference, key):
                raise OperatorError(
                    f"{key} differs between {first} and {name}; set it for the whole environment (group_data/all.py)"
                )


def _explain(error: ValidationError) -> Iterator[tuple[str, str]]:
    for fault in error.errors(include_url=False):
        name = ".".join(str(part) for part in fault["loc"]) or "settings"
        if fault["type"] == "missing":
            yield name, f"{name} is missing; set it in group_data/"
        elif fault["type"] == "extra_forbidden":
            close = difflib.get_close_matches(name, Environment.model_fields, n=1)
            yield name, f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")
        elif fault["type"] == "string_type":
            yield (
                name,
                f"{name} must be text in quotes, not {fault['input']!r} (1.10 without them is the number 1.1)",
            )
        elif fault["type"] == "tuple_type":
            yield name, f'{name} must be a list, such as ["{fault["input"]}"]'
        else:
            yield name, f"{name} {fault['msg'].removeprefix('Value error, ')}"
