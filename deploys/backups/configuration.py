"""What pgBackRest and the backup commands are configured with, and where each of it lies on the database's host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from signupflow import rotation
from signupflow.render import template
from signupflow.secretfile import Secrets
from signupflow.settings import Environment
from signupflow.settings.backups import PASSPHRASE, S3_SECRETS, days

TEMPLATES = Path(__file__).parent / "templates"
STANZA = "signupflow"
# Who answers for the object storage; empty trust means the public authorities of the image.
AUTHORITY = "s3-ca.pem"


def schema_directory(app_name: str) -> str:
    """Where the schema step of releases keeps its Compose file; it names the image that serves."""
    return f"/opt/signupflow/schema-{app_name}"


def pgbackrest_conf(env: Environment, secrets: Secrets) -> str:
    """pgBackRest's own configuration; it holds the keys and the passphrase."""
    return template(
        TEMPLATES / "pgbackrest.conf.j2",
        env=env,
        store=_s3(env, secrets) if env.s3_bucket else _other(env, secrets),
        authority=AUTHORITY if env.s3_ca_file else "",
        stores=stores(secrets),
        days=days(env),
        stanza=STANZA,
    )


def stores(secrets: Secrets) -> list[dict[str, Any]]:
    """Where backups are: the store of now, and while its passphrase is replaced the one before. Each has two repositories.

    A store's passphrase is the one that it was begun with, so that each has a place of its own: `path` ends its paths.
    """
    generation = rotation.backup_generation(secrets)
    found = [{"first": 1, "path": _place(generation), "passphrase": secrets[PASSPHRASE]}]
    if before := secrets.get(rotation.PASSPHRASE_BEFORE):
        found.append({"first": 3, "path": _place(generation - 1), "passphrase": before})
    return found


def _place(generation: int) -> str:
    return "" if generation == 1 else f"/g{generation}"


def _s3(env: Environment, secrets: Secrets) -> dict[str, str]:
    address = urlsplit(env.s3_endpoint)
    access, secret = S3_SECRETS
    return {
        "type": "s3",
        "s3-endpoint": address.hostname or "",
        "storage-port": str(address.port or 443),
        "s3-bucket": env.s3_bucket,
        "s3-region": env.s3_region,
        "s3-uri-style": "path",
        "s3-key": secrets[access],
        "s3-key-secret": secrets[secret],
    }


def _other(env: Environment, secrets: Secrets) -> dict[str, str]:
    return env.backup_repository | {option: secrets[name] for option, name in env.backup_repository_secrets.items()}


def secret_values(env: Environment, secrets: Secrets) -> dict[str, str]:
    """The files of `BACKUP_SECRETS`: pgBackRest's configuration, the bucket's keys, and by what people are told."""
    values = {"pgbackrest.conf": pgbackrest_conf(env, secrets)}
    for name in (*(S3_SECRETS if env.s3_bucket else ()), "notify_webhook_url", "smtp_user", "smtp_password"):
        if secrets.get(name):
            values[name] = secrets[name]
    return values


def commands_json(env: Environment, postgres_image: str) -> str:
    """What the backup commands are told; holds no secret, and nothing that a release changes. The image as hosts name it."""
    store = {"endpoint": env.s3_endpoint, "bucket": env.s3_bucket, "region": env.s3_region, "verify": bool(env.s3_ca_file)}
    return (
        json.dumps(
            {
                "environment": env.environment,
                "profile": env.profile,
                "database": env.postgres_database,
                "stanza": STANZA,
                "postgres_image": postgres_image,
                "personal_data_command": list(env.app_personal_data_command),
                "store": store if env.s3_bucket else None,
                "days": days(env),
                "recipients": list(env.backup_recipients),
                "mail": {
                    "to": list(env.notify_mail_to),
                    "sender": env.notify_mail_from,
                    "host": env.smtp_host,
                    "port": env.smtp_port,
                    "starttls": env.smtp_starttls,
                },
            },
            indent=2,
        )
        + "\n"
    )


def store_identity(env: Environment, generation: int = 1) -> str:
    """Where the backups are, as one text: when it changes, the store is prepared again."""
    where = [env.s3_endpoint, env.s3_bucket] if env.s3_bucket else sorted(map(str, env.backup_repository.items()))
    return json.dumps([STANZA, env.environment, *where, *([] if generation == 1 else [generation])])
