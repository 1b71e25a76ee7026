"""Whether a bucket takes and gives up objects with the keys of this environment."""

from __future__ import annotations

import secrets

from signupflow.cli.init.checks import FAIL, OK, Check
from signupflow.cli.init.config import Storage
from signupflow.errors import OperatorError
from signupflow.shared import s3

CONTENT = b"signupflow init: may be deleted"
REFUSED = (401, 403)
REMEDIES = {
    "403": "the keys may not: check them and the bucket's policy",
    "404": "there is no such bucket: make it, or check --s3-bucket and --s3-region",
    "301": "the bucket is in another region: check --s3-region",
}


def check(storage: Storage, access_key: str, secret_key: str) -> Check:
    """Find the bucket, then write, read and delete a small object in it; nothing stays."""
    from botocore.exceptions import BotoCoreError, ClientError

    where = f"{storage.endpoint}/{storage.bucket}"
    name = f"signupflow-init/{secrets.token_hex(8)}"
    try:
        client = s3.connect(
            storage.endpoint,
            storage.region,
            access_key,
            secret_key,
            ca_file=storage.ca_file,
            read_seconds=20,
            attempts=1,
        )
    except (BotoCoreError, ValueError) as error:
        return Check(where, "object storage", FAIL, str(error), "check --s3-endpoint")
    try:
        client.head_bucket(Bucket=storage.bucket)
        client.put_object(Bucket=storage.bucket, Key=name, Body=CONTENT)
        with client.get_object(Bucket=storage.bucket, Key=name)["Body"] as body:
            same = body.read() == CONTENT
        client.delete_object(Bucket=storage.bucket, Key=name)
    except ClientError as error:
        code = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        result = f"{error.operation_name}: {code} {error.response.get('Error', {}).get('Message', '')}".strip()
        return Check(where, "object storage", FAIL, result, REMEDIES.get(code, "see what the provider says of this answer"))
    except (BotoCoreError, OSError) as error:
        return Check(where, "object storage", FAIL, " ".join(str(error).split()), "check --s3-endpoint and --s3-ca-file")
    finally:
        client.close()
    if not same:
        return Check(where, "object storage", FAIL, "gives back something else than it was given", "use another provider")
    return Check(where, "object storage", OK, "an object was written, read and deleted")


def refuses(storage: Storage, access_key: str, secret_key: str) -> bool:
    """Whether the bucket refuses these keys. Its own word alone counts (401, 403): else an OperatorError says why not."""
    from botocore.exceptions import BotoCoreError, ClientError

    where = f"{storage.endpoint}/{storage.bucket}"
    try:
        client = s3.connect(
            storage.endpoint, storage.region, access_key, secret_key, ca_file=storage.ca_file, read_seconds=20, attempts=1
        )
        try:
            client.head_bucket(Bucket=storage.bucket)
            return False
        finally:
            client.close()
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status in REFUSED:
            return True
        said = f"it answered {status}"
    except (BotoCoreError, OSError, ValueError) as error:
        said = " ".join(str(error).split())
    raise OperatorError(f"{where} does not say whether it refuses the keys before ({said}); run this again when it answers")
