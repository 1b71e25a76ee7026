"""The one S3 client: objects by their path, and no checksums that stores other than Amazon's do not know."""

from __future__ import annotations

from typing import Any


def connect(
    endpoint: str,
    region: str,
    access_key: str,
    secret_key: str,
    *,
    ca_file: str = "",
    connect_seconds: float = 10,
    read_seconds: float = 60,
    attempts: int = 2,
    proxies: bool = True,
) -> Any:
    """A client of an S3 service; without a `ca_file` the machine's own authorities count. Raises ValueError for no address."""
    # Half a second to import, which verbs that need no bucket are spared.
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=ca_file or None,
        config=Config(
            s3={"addressing_style": "path"},
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            retries={"max_attempts": attempts},
            proxies=None if proxies else {},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
