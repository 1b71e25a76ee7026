"""The escrow check: does the key that no host holds still open what the bucket holds? Nothing is written to this disk."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import pyrage
from botocore.exceptions import BotoCoreError, ClientError

from signupflow import secretfile, secrets_cli
from signupflow.cli.hosts import hosts_of
from signupflow.cli.running import ROOT, Target, target_options
from signupflow.errors import OperatorError
from signupflow.shared import humanize, s3
from signupflow.shared.dump_objects import EVERY, PROOF, parsed, prefix

# How an archive of pg_dump begins (pg_backup_archiver.c).
ARCHIVE = b"PGDMP"


class Hashed(io.RawIOBase):
    """Bytes of an object as they come, and their digest."""

    def __init__(self, body: Any) -> None:
        self._body, self.digest, self.count = body, sha256(), 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._body.read(size if size > 0 else None)
        self.digest.update(data)
        self.count += len(data)
        return data


class Opened(io.RawIOBase):
    """Takes what was unsealed, and keeps no more than how it begins and how much it was."""

    def __init__(self) -> None:
        self.head, self.count = b"", 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self.head = (self.head + piece)[: len(ARCHIVE)] if len(self.head) < len(ARCHIVE) else self.head
        self.count += len(piece)
        return len(piece)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--key", required=True, type=click.Path(exists=True, dir_okay=False), help="The offline key (age identity).")
@click.option("--endpoint", default="", help="The object storage as this machine reaches it; default `s3_endpoint`.")
@target_options
def check(key: str, endpoint: str, target: Target) -> None:
    """Fetch the newest weekly and monthly dump, compare each with what was uploaded, and open it with the offline key."""
    identity = secretfile.parse_identity(Path(key).read_text(), key)
    ((_, found),) = hosts_of(target, "db")[:1]
    data = {**found, "s3_endpoint": endpoint or found.get("s3_endpoint", "")}
    client = _client(data)
    bad = 0
    try:
        for kind in EVERY:
            verdict, said = _checked(client, data, kind, identity)
            bad += not verdict
            click.echo(f"{kind:8} {'opens' if verdict else 'FAILS'}  {said}")
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(f"{data.get('s3_endpoint')}/{data.get('s3_bucket')}: {' '.join(str(error).split())}") from None
    finally:
        client.close()
    if bad:
        raise OperatorError(f"{bad} of {len(EVERY)} kinds are not proven: see BACKUP_RESTORE.md, The offline key")


def _checked(client: Any, data: Mapping[str, Any], kind: str, identity: pyrage.x25519.Identity) -> tuple[bool, str]:
    """Whether the newest dump of a kind is what was uploaded and opens, and what to say of it."""
    bucket, where = str(data["s3_bucket"]), f"{prefix(data['environment'])}{kind}/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=where)
    found = parsed({item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])})
    proven = [dump for dump in found if dump.proven]
    if not proven:
        return False, "there is none"
    newest = max(proven, key=lambda dump: dump.made)
    sent = client.get_object(Bucket=bucket, Key=newest.key + PROOF)["Body"].read().split()[0].decode()
    sealed, opened = Hashed(client.get_object(Bucket=bucket, Key=newest.key)["Body"]), Opened()
    try:
        pyrage.decrypt_io(sealed, opened, [identity])
    except pyrage.DecryptError as error:
        return False, f"{newest.key}: {error}"
    if sealed.digest.hexdigest() != sent:
        return False, f"{newest.key} is not what was uploaded"
    if opened.head != ARCHIVE:
        return False, f"{newest.key} opens and holds no dump"
    return (
        True,
        f"{newest.key}: {humanize.size(sealed.count)}, {humanize.size(opened.count)} opened, of {humanize.moment(newest.made)}",
    )


def _client(data: Mapping[str, Any]) -> Any:
    """S3 as the environment's secrets file opens it; the variables S3_ACCESS_KEY and S3_SECRET_KEY come first."""
    if not data.get("s3_bucket"):
        raise OperatorError("the inventory names no s3_bucket: no dumps are made")
    environment = str(data["environment"])
    given = secrets_cli.given()
    if not {"s3_access_key", "s3_secret_key"} <= set(given):
        path, key_file = (str(data.get(name) or "") for name in ("secrets_file", "age_key_file"))
        given = secretfile.SecretsFile.of(environment, path, key_file, ROOT).read()
    return s3.connect(
        data["s3_endpoint"],
        data.get("s3_region", "us-east-1"),
        given["s3_access_key"],
        given["s3_secret_key"],
        ca_file=data.get("s3_ca_file") or "",
    )


def run() -> None:
    """The program: what is wrong is one line, and exit code 1."""
    try:
        check(prog_name="escrow_check.py")
    except OperatorError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
