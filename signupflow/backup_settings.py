"""What an environment says of its backups: where they go, how long they stay, who can open the dumps.

A part of `signupflow.settings.Environment`. pgBackRest keeps two repositories: 1 in object storage, 2 on the database's host.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyrage
from pydantic import BaseModel, Field, field_validator, model_validator

# Days that daily backups stay, by profile (SPEC.md, Retention).
DAYS = {"production": 30, "staging": 7}
# Secrets that an environment with backups in S3 must have; `backup_passphrase` is generated.
PASSPHRASE = "backup_passphrase"  # noqa: S105 - a secret's name
S3_SECRETS = ("s3_access_key", "s3_secret_key")

BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
# What systemd.time(7) calls a calendar event, with its zone: a backup's hour must not depend on the host's.
CALENDAR = re.compile(r"^[A-Za-z0-9*:.,/~ -]+ UTC$")
# A moment with its zone: without one it would be a guess.
MOMENT = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})$")


class Backups(BaseModel):
    """Settings of backups; none are made without a bucket or a repository."""

    # Backups
    s3_endpoint: str = Field(default="", description="URL of the S3 service that keeps the backups; https.")
    s3_bucket: str = Field(default="", description="Bucket of the backups; while it is empty, no backups are made.")
    s3_region: str = Field(default="us-east-1", description="The bucket's region.")
    s3_ca_file: str = Field(default="", description="PEM on the controller to trust for `s3_endpoint`; empty for a public CA.")
    backup_repository: dict[str, str] = Field(
        default_factory=dict,
        description="Another store than S3 in pgBackRest's words, such as {'type': 'azure', 'azure-account': ...}.",
    )
    backup_repository_secrets: dict[str, str] = Field(
        default_factory=dict, description="pgBackRest option to secret name, such as {'azure-key': 'azure_key'}."
    )
    backup_calendar: str = Field(
        default="*-*-* 02:30:00 UTC", description="When the daily backup runs (systemd.time), in UTC; a missed one is caught up."
    )
    drill_calendar: str = Field(
        default="*-*-02 04:30:00 UTC", description="When the newest backup is restored to a scratch instance to prove it."
    )
    backup_days: int = Field(
        default=0, ge=0, le=3650, description="Days that daily backups stay; default 30 in production and 7 in staging."
    )
    backup_local: int = Field(default=7, ge=1, le=100, description="Newest backups that stay on the database's own disk as well.")
    backup_recipients: tuple[str, ...] = Field(
        default=(), description="age public keys (age1...) that open the weekly and monthly dumps; keep the private ones offline."
    )
    backup_processes: int = Field(default=2, ge=1, le=32, description="Processes that compress, encrypt and transfer.")
    recover_to: str = Field(
        default="",
        description="Moment to which deploys/disaster_recovery.py restores (ISO 8601 with zone); default the last change.",
    )
    ops_image: str = Field(
        default="signupflow/ops:local",
        description="Image of the commands that run on hosts: built here and sent over SSH, or pinned by digest.",
    )

    @field_validator("s3_endpoint")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        if value and not re.match(r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$", value):
            raise ValueError(f"{value!r} is not an https URL without a path")
        return value.rstrip("/")

    @field_validator("s3_bucket")
    @classmethod
    def _bucket(cls, value: str) -> str:
        if value and not BUCKET.match(value):
            raise ValueError(f"{value!r} is not a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes")
        return value

    @field_validator("s3_region")
    @classmethod
    def _region(cls, value: str) -> str:
        if not re.match(r"^[a-z0-9-]+$", value):
            raise ValueError(f"{value!r} is not a region such as us-east-1")
        return value

    @field_validator("s3_ca_file")
    @classmethod
    def _authority(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError(f"no such file on this machine: {value}")
        return value

    @field_validator("backup_repository", "backup_repository_secrets")
    @classmethod
    def _options(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.match(r"^[a-z0-9]+(-[a-z0-9]+)*$", name) or not text.isprintable():
                raise ValueError(f"{name!r} is not a pgBackRest option (without repo1-) with one line of text")
        return value

    @field_validator("backup_calendar", "drill_calendar")
    @classmethod
    def _calendar(cls, value: str) -> str:
        if not CALENDAR.match(value):
            raise ValueError(f"{value!r} is not a calendar event such as '*-*-* 02:30:00 UTC' (systemd.time)")
        return value

    @field_validator("recover_to")
    @classmethod
    def _moment(cls, value: str) -> str:
        if value and not MOMENT.match(value):
            raise ValueError(f"{value!r} is not a moment such as 2026-11-27T02:15:00Z")
        return value

    @field_validator("backup_recipients")
    @classmethod
    def _recipients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            try:
                if key != key.lower():
                    raise pyrage.RecipientError("age writes them in lower case")
                pyrage.x25519.Recipient.from_str(key)
            except pyrage.RecipientError:
                raise ValueError(f"{key[:12]!r}... is not an age public key (age1...)") from None
        return value

    @model_validator(mode="after")
    def _store_is_whole(self) -> Backups:
        if self.s3_bucket and not self.s3_endpoint:
            raise ValueError("s3_bucket needs s3_endpoint")
        if self.s3_bucket and self.backup_repository:
            raise ValueError("s3_bucket and backup_repository both say where backups go; keep one")
        if self.backup_repository and self.backup_repository.get("type") not in ("azure", "gcs", "sftp", "posix", "s3"):
            raise ValueError("backup_repository needs a type: azure, gcs, sftp, posix or s3")
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
