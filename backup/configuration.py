"""What the deploy told these commands (backup.json), the secrets beside it, and where things lie."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from backup.exit_codes import Backup, Failed
from signupflow.shared.channels import Mail
from signupflow.shared.places import BACKUP_CONFIGURATION, BACKUP_REPOSITORY, BACKUP_STATE, POSTGRES_DATA

DIRECTORY = Path("/etc/signupflow-backup")
# The same on the host.
ON_HOST = Path(BACKUP_CONFIGURATION)
SECRETS = Path("/run/secrets")
# The same paths as on the host, because scratch instances get them mounted by the host's Docker Engine.
STATE = Path(BACKUP_STATE)
REPOSITORY = Path(BACKUP_REPOSITORY)
DATA = Path(POSTGRES_DATA)
# Written by the schema step of every release and rollback, so it names the image whose schema the database has.
SCHEMA = Path("/etc/signupflow-schema/compose.yaml")
AUTHORITY = DIRECTORY / "s3-ca.pem"

OBJECT_STORE, LOCAL = 1, 2
REPOSITORIES = {OBJECT_STORE: "object storage", LOCAL: "this host"}
# While the passphrase is replaced: the previous places, with what was written by the old one (SECRET_ROTATION.md).
STORE_BEFORE, LOCAL_BEFORE = 3, 4
BEFORE = {STORE_BEFORE: OBJECT_STORE, LOCAL_BEFORE: LOCAL}
# Days that dumps stay (SPEC.md, Retention).
STAYS = {"weekly": 90, "monthly": 365}


def place(repository: int) -> str:
    """What a repository is called, also one that is about to go."""
    now = BEFORE.get(repository)
    return f"{REPOSITORIES[now]}, before" if now else REPOSITORIES.get(repository, str(repository))


@dataclass(frozen=True)
class Store:
    """An S3 bucket; the keys are secrets."""

    endpoint: str
    bucket: str
    region: str
    verify: bool


@dataclass(frozen=True)
class Configuration:
    """One environment, as its deploy described it."""

    environment: str
    profile: str
    database: str
    stanza: str
    postgres_image: str
    personal_data_command: tuple[str, ...]
    store: Store | None
    days: int
    recipients: tuple[str, ...]
    # Without its user and password, which are secrets.
    mail: Mail

    @classmethod
    def parse(cls, text: str) -> Configuration:
        found: dict[str, Any] = json.loads(text)
        store, mail = found.pop("store"), found.pop("mail")
        return cls(
            **found | {name: tuple(found[name]) for name in ("recipients", "personal_data_command")},
            store=Store(**store) if store else None,
            mail=Mail(**mail | {"to": tuple(mail["to"])}),
        )


def read(code: IntEnum = Backup.CONFIGURATION, directory: Path = DIRECTORY) -> Configuration:
    """The configuration of this host; Failed with `code` when it is not there or not whole."""
    path = directory / "backup.json"
    try:
        return Configuration.parse(path.read_text())
    except (OSError, ValueError, TypeError, KeyError) as error:
        # By the name that an operator finds it under: the command's container has it at another place.
        shown = ON_HOST / path.name if directory == DIRECTORY else path
        raise Failed(code, f"{shown} cannot be used ({error}); run deploys/production.py again") from None


def app_image(schema: Path = SCHEMA) -> str:
    """The app's image as this host names it; empty when nothing was released yet."""
    found = re.search(r'^  migrate:\n\s+image: "?([^\s"]+)"?$', schema.read_text() if schema.is_file() else "", re.MULTILINE)
    return found[1] if found else ""


def secret(name: str) -> str:
    """A secret of this host; empty when there is none of that name."""
    path = SECRETS / name
    return path.read_text().rstrip("\n") if path.is_file() else ""
