"""Backups: where they go, how long they stay, who can open the dumps.

pgBackRest keeps two repositories: 1 in object storage, 2 on the database's host.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import pyrage
from pydantic import AfterValidator, Field, model_validator

from signupflow.settings.forms import Image, ReadableFile, Topic, form

# Days that daily backups stay, by profile (SPEC.md, Retention).
DAYS = {"production": 30, "staging": 7}
# Secrets that an environment with backups in S3 must have; `backup_passphrase` is generated.
PASSPHRASE = "backup_passphrase"  # noqa: S105 - a secret's name
S3_SECRETS = ("s3_access_key", "s3_secret_key")
STORES = ("azure", "gcs", "sftp", "posix", "s3")
OPTION = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")


def _options(options: dict[str, str]) -> dict[str, str]:
    for name, text in options.items():
        if not OPTION.fullmatch(name) or not text.isprintable():
            raise ValueError(f"{name!r} is not a pgBackRest option (without repo1-) with one line of text")
    return options


def _recipients(keys: tuple[str, ...]) -> tuple[str, ...]:
    for key in keys:
        try:
            if key != key.lower():
                raise pyrage.RecipientError("age writes them in lower case")
            pyrage.x25519.Recipient.from_str(key)
        except pyrage.RecipientError:
            raise ValueError(f"{key[:12]!r}... is not an age public key (age1...)") from None
    return keys


# What systemd.time(7) calls a calendar event, with its zone: a backup's hour must not depend on the host's.
Calendar = Annotated[
    str, form(r"^[A-Za-z0-9*:.,/~ -]+ UTC$", "{} is not a calendar event such as '*-*-* 02:30:00 UTC' (systemd.time)")
]
# Without a zone a moment would be a guess.
Moment = Annotated[
    str,
    form(
        r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2}))?$",
        "{} is not a moment such as 2026-11-27T02:15:00Z",
    ),
]
Endpoint = Annotated[
    str,
    form(r"^(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?)?$", "{} is not an https URL without a path"),
    AfterValidator(lambda url: url.rstrip("/")),
]
Bucket = Annotated[
    str,
    form(
        r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", "{} is not a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes"
    ),
]
Options = Annotated[dict[str, str], AfterValidator(_options)]


class Backups(Topic):
    """Backups; none are made without a bucket or a repository"""

    s3_endpoint: Endpoint = Field(default="", description="URL of the S3 service that keeps the backups; https.")
    s3_bucket: Bucket = Field(default="", description="Bucket of the backups; while it is empty, no backups are made.")
    s3_region: Annotated[str, form(r"^[a-z0-9-]+$", "{} is not a region such as us-east-1")] = Field(
        default="us-east-1", description="The bucket's region."
    )
    s3_ca_file: ReadableFile = Field(
        default="", description="PEM on the controller to trust for `s3_endpoint`; empty for a public CA."
    )
    backup_repository: Options = Field(
        default_factory=dict,
        description="Another store than S3 in pgBackRest's words, such as {'type': 'azure', 'azure-account': ...}; not merged.",
    )
    backup_repository_secrets: Options = Field(
        default_factory=dict, description="pgBackRest option to secret name, such as {'azure-key': 'azure_key'}; not merged."
    )
    backup_calendar: Calendar = Field(
        default="*-*-* 02:30:00 UTC", description="When the daily backup runs (systemd.time), in UTC; a missed one is caught up."
    )
    drill_calendar: Calendar = Field(
        default="*-*-02 04:30:00 UTC", description="When the newest backup is restored to a scratch instance to prove it."
    )
    backup_days: int = Field(
        default=0, ge=0, le=3650, description="Days that daily backups stay; default 30 in production and 7 in staging."
    )
    backup_local: int = Field(default=7, ge=1, le=100, description="Newest backups that stay on the database's own disk as well.")
    backup_recipients: Annotated[tuple[str, ...], AfterValidator(_recipients)] = Field(
        default=(), description="age public keys (age1...) that open the weekly and monthly dumps; keep the private ones offline."
    )
    backup_processes: int = Field(default=2, ge=1, le=32, description="Processes that compress, encrypt and transfer.")
    recover_to: Moment = Field(
        default="",
        description="Moment to which deploys/disaster_recovery.py restores (ISO 8601 with zone); default the last change.",
    )
    recover_from: Annotated[str, form(r"^([0-9]{8}-[0-9]{6}F)?$", "{} is not a backup's label such as 20261127-023000F")] = Field(
        default="", description="Backup with which deploys/disaster_recovery.py begins; default the newest that leads there."
    )
    ops_image: Image = Field(
        default="signupflow/ops:local",
        description="Image of the commands that run on hosts: built here and sent over SSH, or pinned by digest.",
    )

    @model_validator(mode="after")
    def _store_is_whole(self) -> Backups:
        if self.s3_bucket and not self.s3_endpoint:
            raise ValueError("s3_bucket needs s3_endpoint")
        if self.s3_bucket and self.backup_repository:
            raise ValueError("s3_bucket and backup_repository both say where backups go; keep one")
        if self.backup_repository and self.backup_repository.get("type") not in STORES:
            raise ValueError(f"backup_repository needs a type: {', '.join(STORES[:-1])} or {STORES[-1]}")
        return self

    @property
    def backed_up(self) -> bool:
        """Whether backups are made at all."""
        return bool(self.s3_bucket or self.backup_repository)

    @property
    def backup_secrets(self) -> tuple[str, ...]:
        """Secrets that the backups need."""
        if not self.backed_up:
            return ()
        return (PASSPHRASE, *(S3_SECRETS if self.s3_bucket else ()), *self.backup_repository_secrets.values())


def days(env: Any) -> int:
    """Days that daily backups stay in object storage."""
    return int(env.backup_days or DAYS[env.profile])
