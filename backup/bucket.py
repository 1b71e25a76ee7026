"""The S3 bucket, by boto3: is it there, may we, is it as it should be. Never WAL or base backups: those are pgBackRest's."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from backup.configuration import AUTHORITY, STAYS, Configuration, Store, secret
from backup.exit_codes import Backup, Failed
from signupflow.shared import s3

# S3 refuses a request that is signed more than 15 minutes off (RequestTimeTooSkewed).
CLOCK_SECONDS = 300
OK, WARN, FAIL = "ok", "warning", "FAILS"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what to do when it is not well."""

    what: str
    verdict: str
    found: str
    remedy: str = ""


def connect(store: Store) -> Any:
    """A client for the bucket's service, with this host's keys."""
    authority = str(AUTHORITY) if store.verify else ""
    return s3.connect(store.endpoint, store.region, secret("s3_access_key"), secret("s3_secret_key"), ca_file=authority)


def failure(error: Exception, store: Store) -> Failed:
    """A fault of the object storage as the exit code and the line that follow from it."""
    where = f"{store.endpoint}/{store.bucket}"
    if isinstance(error, ClientError):
        answer = error.response
        code = str(answer.get("Error", {}).get("Code", ""))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        said = f"{error.operation_name} answered {status}" + (f" {code}" if code not in ("", str(status)) else "")
        # An answer to HEAD has no body that would say so: a clock that is far off looks like wrong keys.
        if off := wrong_clock(answer):
            return Failed(Backup.UPLOAD_FAILED, f"{where}: {said}: {off}")
        if code == "RequestTimeTooSkewed":
            return Failed(Backup.UPLOAD_FAILED, f"{where}: {said}: the clock of this host is off, see `timedatectl`")
        if status == 404:
            return Failed(Backup.CONFIGURATION, f"{where}: {said}: there is no such bucket; make it, or set s3_bucket")
        if status in (401, 403):
            return Failed(
                Backup.CONFIGURATION, f"{where}: {said}: the keys may not; `signupflow -i INVENTORY rotate object-store`"
            )
        return Failed(Backup.UPLOAD_FAILED, f"{where}: {said}")
    return Failed(Backup.UPLOAD_FAILED, f"{where} cannot be reached: {' '.join(str(error).split())[:200]}")


def reachable(store: Store) -> None:
    """Raise Failed unless the bucket answers these keys, by a clock that is about ours."""
    client = connect(store)
    try:
        answer = client.head_bucket(Bucket=store.bucket)
    except (ClientError, BotoCoreError, OSError) as error:
        raise failure(error, store) from None
    finally:
        client.close()
    if off := wrong_clock(answer):
        raise Failed(Backup.UPLOAD_FAILED, off)


def wrong_clock(answer: dict[str, Any]) -> str:
    """How far this host's clock is from the server's that sent an answer, when that is too far; else empty."""
    off = clock(answer)
    if off is None or abs(off) <= CLOCK_SECONDS:
        return ""
    side = "ahead of" if off > 0 else "behind"
    return f"the clock of this host is {abs(off):.0f} s {side} the object storage's: see `timedatectl`"


def clock(answer: dict[str, Any]) -> float | None:
    """Seconds by which this host is ahead of the server that sent an answer; None when it does not say."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds() if said else None
    except ValueError:
        return None


def findings(configuration: Configuration) -> list[Finding]:
    """Look at everything that a bucket of backups should have; nothing stays in it."""
    store = configuration.store
    if store is None:
        return [Finding("store", WARN, "not S3", "pgBackRest's own `check` is all that is asked of it")]
    client = connect(store)
    try:
        # Dumps stay longer than backups.
        longest = max([configuration.days, *(STAYS.values() if configuration.recipients else ())])
        return _findings(client, store, longest)
    finally:
        client.close()


def _findings(client: Any, store: Store, days: int) -> list[Finding]:
    try:
        answer = client.head_bucket(Bucket=store.bucket)
    except (ClientError, BotoCoreError, OSError) as error:
        return [Finding("bucket", FAIL, str(failure(error, store)), "nothing else was looked at")]
    found = [Finding("bucket", OK, f"{store.endpoint}/{store.bucket}")]
    off = clock(answer)
    found.append(
        Finding("clock", WARN, "the service does not say its time")
        if off is None
        else Finding(
            "clock", OK if abs(off) <= CLOCK_SECONDS else FAIL, f"{off:+.0f} s against the service's", "see `timedatectl`"
        )
    )
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if region:
        found.append(Finding("region", OK if region == store.region else FAIL, region, f"set s3_region = {region!r}"))
    found += _rights(client, store.bucket)
    found += [
        _setting(
            "versioning",
            lambda: client.get_bucket_versioning(Bucket=store.bucket).get("Status") == "Enabled",
            "without it, whoever has the keys can destroy every backup; switch it on, with a lifecycle rule for old versions",
        ),
        _setting(
            "encryption by the service",
            lambda: bool(client.get_bucket_encryption(Bucket=store.bucket)),
            "not needed: everything is encrypted before it leaves this host",
        ),
        _setting(
            "object lock",
            lambda: bool(client.get_object_lock_configuration(Bucket=store.bucket)),
            "consider it: a stolen key could then delete nothing for as long as the lock says",
        ),
        _lifecycle(client, store.bucket, days),
    ]
    return found


def _rights(client: Any, name: str) -> list[Finding]:
    """Write, list, read and delete a small object."""
    key, content = f"signupflow-check/{secrets.token_hex(8)}", b"signupflow check: may be deleted"

    def read() -> None:
        if client.get_object(Bucket=name, Key=key)["Body"].read() != content:
            raise OSError("it gives back something else than it was given")

    rows = []
    for what, call in (
        ("write", lambda: client.put_object(Bucket=name, Key=key, Body=content)),
        ("list", lambda: client.list_objects_v2(Bucket=name, Prefix=key)),
        ("read", read),
        ("delete", lambda: client.delete_object(Bucket=name, Key=key)),
    ):
        try:
            call()
            rows.append(Finding(f"may {what}", OK, "tried"))
        except (ClientError, BotoCoreError, OSError) as error:
            rows.append(Finding(f"may {what}", FAIL, " ".join(str(error).split())[:120], "grant it to these keys"))
    return rows


def _setting(what: str, on: Any, remedy: str) -> Finding:
    try:
        return Finding(what, OK, "on") if on() else Finding(what, WARN, "off", remedy)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if "NotFound" in code or "NoSuch" in code:
            return Finding(what, WARN, "off", remedy)
        return Finding(what, WARN, f"unknown ({code or error.response['ResponseMetadata']['HTTPStatusCode']})", remedy)
    except (BotoCoreError, OSError) as error:
        return Finding(what, WARN, f"unknown ({' '.join(str(error).split())[:80]})", remedy)


def _lifecycle(client: Any, name: str, days: int) -> Finding:
    """A rule that deletes sooner than the retention would take backups away behind pgBackRest's back."""
    try:
        rules = client.get_bucket_lifecycle_configuration(Bucket=name).get("Rules", [])
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        return Finding("lifecycle", OK, "no rule" if "NoSuch" in code else f"unknown ({code})")
    except (BotoCoreError, OSError) as error:
        return Finding("lifecycle", WARN, f"unknown ({' '.join(str(error).split())[:80]})")
    enabled = [rule for rule in rules if rule.get("Status") == "Enabled"]
    early = [rule.get("ID", "?") for rule in enabled if _expires(rule.get("Expiration", {})) <= days]
    if early:
        return Finding(
            "lifecycle", FAIL, f"{', '.join(early)} deletes within {days} days", "let pgBackRest expire; remove the rule"
        )
    return Finding("lifecycle", OK, f"{len(rules)} rules, none deletes within {days} days")


def _expires(expiration: dict[str, Any]) -> float:
    """Days after which it deletes; a date is one day or another too early for something."""
    return 0.0 if "Date" in expiration else float(expiration.get("Days", "inf"))
