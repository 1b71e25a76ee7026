"""Is the bucket there, may we, and is it as it should be: by the answers that S3 gives."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from backup import bucket
from backup.bucket import FAIL, OK, WARN
from backup.configuration import Store
from backup.exit_codes import Backup, Failed

STORE = Store("https://s3.internal:8333", "backups", "us-east-1", True)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """A client that answers what it is told to, and connects nowhere."""
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
    )
    monkeypatch.setattr(bucket, "connect", lambda _: client)
    with Stubber(client) as stubber:
        yield stubber
    client.close()


def answered(ahead: timedelta = timedelta(), headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An answer from a server whose clock is so far ahead of ours."""
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date, **(headers or {})}}}


def error(code: str, status: int, operation: str = "HeadBucket") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


@pytest.mark.parametrize(
    ("raised", "code", "remedy"),
    [
        (error("404", 404), Backup.CONFIGURATION, "set s3_bucket"),
        (error("403", 403), Backup.CONFIGURATION, "`signupflow -i INVENTORY rotate object-store`"),
        (error("InvalidAccessKeyId", 403, "PutObject"), Backup.CONFIGURATION, "`signupflow -i INVENTORY rotate object-store`"),
        (error("RequestTimeTooSkewed", 403, "PutObject"), Backup.UPLOAD_FAILED, "`timedatectl`"),
        (error("SlowDown", 503, "PutObject"), Backup.UPLOAD_FAILED, "PutObject answered 503 SlowDown"),
        (EndpointConnectionError(endpoint_url=STORE.endpoint), Backup.UPLOAD_FAILED, "cannot be reached"),
        (OSError("no route to host"), Backup.UPLOAD_FAILED, "no route to host"),
    ],
)
def test_us6_4_a_fault_of_the_store_is_the_code_that_it_means(raised: Exception, code: Backup, remedy: str) -> None:
    failed = bucket.failure(raised, STORE)
    assert failed.code is code
    assert str(failed).startswith("https://s3.internal:8333/backups")
    assert remedy in str(failed)
    assert "\n" not in str(failed)


def test_us6_1_a_bucket_that_answers_is_reachable(s3: Stubber) -> None:
    s3.add_response("head_bucket", answered(), {"Bucket": "backups"})
    bucket.reachable(STORE)
    s3.assert_no_pending_responses()


@pytest.mark.parametrize(("ahead", "side"), [(3600, "behind"), (-3600, "ahead of")])
def test_us6_4_a_clock_that_is_off_is_said_before_the_store_refuses(s3: Stubber, ahead: int, side: str) -> None:
    s3.add_response("head_bucket", answered(timedelta(seconds=ahead)), {"Bucket": "backups"})
    with pytest.raises(Failed, match=rf"the clock of this host is (3600|3599|3601) s {side} the object storage's") as caught:
        bucket.reachable(STORE)
    assert caught.value.code is Backup.UPLOAD_FAILED


def test_us6_4_a_clock_that_is_off_by_so_much_that_the_store_refuses_is_not_blamed_on_the_keys(s3: Stubber) -> None:
    # A HEAD has no body: S3 cannot say RequestTimeTooSkewed, and answers a bare 403 with its own time.
    meta = answered(timedelta(hours=1))["ResponseMetadata"] | {"HTTPStatusCode": 403}
    s3.add_client_error("head_bucket", service_error_code="403", http_status_code=403, response_meta=meta)
    with pytest.raises(Failed, match="clock") as caught:
        bucket.reachable(STORE)
    assert caught.value.code is Backup.UPLOAD_FAILED


def test_us6_4_a_bucket_that_refuses_is_not_reachable(s3: Stubber) -> None:
    meta = answered()["ResponseMetadata"] | {"HTTPStatusCode": 403}
    s3.add_client_error("head_bucket", service_error_code="403", http_status_code=403, response_meta=meta)
    with pytest.raises(Failed, match="rotate object-store") as caught:
        bucket.reachable(STORE)
    assert caught.value.code is Backup.CONFIGURATION


def test_us6_4_a_server_that_does_not_say_its_time_is_not_judged_by_it() -> None:
    assert bucket.clock({}) is None
    for date in ("", "yesterday"):
        assert bucket.clock({"ResponseMetadata": {"HTTPHeaders": {"date": date}}}) is None
    behind = bucket.clock(answered(timedelta(seconds=-60)))
    assert behind is not None
    assert abs(behind - 60) < 30


class Bucket:
    """The answers of a bucket to all that is looked at, in order; each can be made an error."""

    def __init__(self, stubber: Stubber, errors: dict[str, tuple[str, int]]) -> None:
        self.stubber, self.errors = stubber, errors
        self.content = b"signupflow check: may be deleted"

    def answer(self, operation: str, response: dict[str, Any]) -> None:
        if operation in self.errors:
            code, status = self.errors[operation]
            self.stubber.add_client_error(operation, service_error_code=code, http_status_code=status)
        else:
            self.stubber.add_response(operation, response)

    def all(self, head: dict[str, Any], rules: list[dict[str, Any]], versioning: str = "Enabled") -> None:
        self.answer("head_bucket", head)
        self.answer("put_object", {})
        self.answer("list_objects_v2", {})
        body = StreamingBody(io.BytesIO(self.content), len(self.content))
        self.answer("get_object", {"Body": body})
        self.answer("delete_object", {})
        self.answer("get_bucket_versioning", {"Status": versioning} if versioning else {})
        self.answer("get_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": []}})
        self.answer("get_object_lock_configuration", {"ObjectLockConfiguration": {}})
        self.answer("get_bucket_lifecycle_configuration", {"Rules": rules})


RULE = {"ID": "tidy", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 31}}


def found(
    stubber: Stubber,
    errors: dict[str, tuple[str, int]] | None = None,
    head: dict[str, Any] | None = None,
    rules: list[dict[str, Any]] | None = None,
    versioning: str = "Enabled",
    content: bytes = b"",
    recipients: tuple[str, ...] = (),
) -> dict[str, tuple[str, str]]:
    made = Bucket(stubber, errors or {})
    made.content = content or made.content
    made.all(head or answered(), [RULE] if rules is None else rules, versioning)
    configuration: Any = SimpleNamespace(store=STORE, days=30, recipients=recipients)
    return {row.what: (row.verdict, row.found) for row in bucket.findings(configuration)}


def test_sec003_a_bucket_that_is_as_it_should_be_has_nothing_to_do(s3: Stubber) -> None:
    rows = found(s3, head=answered(headers={"x-amz-bucket-region": "us-east-1"}))
    assert {what: verdict for what, (verdict, _) in rows.items()} == dict.fromkeys(
        [
            *("bucket", "clock", "region", "may write", "may list", "may read", "may delete"),
            *("versioning", "encryption by the service", "object lock", "lifecycle"),
        ],
        OK,
    )
    s3.assert_no_pending_responses()


def test_sec003_what_is_written_to_try_it_is_deleted_again(s3: Stubber) -> None:
    key = {}
    s3.add_response("put_object", {}, {"Bucket": "backups", "Key": ANY, "Body": ANY})
    s3.add_response("list_objects_v2", {}, {"Bucket": "backups", "Prefix": ANY})
    s3.add_client_error("get_object", service_error_code="AccessDenied", http_status_code=403)
    s3.add_response("delete_object", {}, {"Bucket": "backups", "Key": ANY})
    s3.client.meta.events.register("provide-client-params.s3.*", lambda params, model, **_: key.update({model.name: params}))
    rows = bucket._rights(s3.client, "backups")
    assert [row.verdict for row in rows] == [OK, OK, FAIL, OK]
    assert key["PutObject"]["Key"] == key["DeleteObject"]["Key"] == key["ListObjectsV2"]["Prefix"]
    assert key["PutObject"]["Key"].startswith("signupflow-check/")
    s3.assert_no_pending_responses()


def test_sec003_each_right_that_is_missing_fails_and_each_setting_that_is_off_warns(s3: Stubber) -> None:
    rows = found(
        s3,
        {
            "put_object": ("AccessDenied", 403),
            "delete_object": ("AccessDenied", 403),
            "get_bucket_encryption": ("ServerSideEncryptionConfigurationNotFoundError", 404),
            "get_object_lock_configuration": ("ObjectLockConfigurationNotFoundError", 404),
            "get_bucket_lifecycle_configuration": ("NoSuchLifecycleConfiguration", 404),
        },
        head=answered(timedelta(hours=-1), {"x-amz-bucket-region": "eu-west-1"}),
        versioning="",
        content=b"something else",
    )
    assert {what: verdict for what, (verdict, _) in rows.items()} == {
        "bucket": OK,
        "clock": FAIL,
        "region": FAIL,
        "may write": FAIL,
        "may list": OK,
        "may read": FAIL,
        "may delete": FAIL,
        "versioning": WARN,
        "encryption by the service": WARN,
        "object lock": WARN,
        "lifecycle": OK,
    }
    assert rows["lifecycle"][1] == "no rule"
    assert "something else" in rows["may read"][1]


def test_sec003_what_a_service_does_not_tell_is_not_taken_for_off(s3: Stubber) -> None:
    silent = dict.fromkeys(("get_bucket_versioning", "get_bucket_encryption"), ("NotImplemented", 501))
    rows = found(s3, silent)
    assert rows["versioning"] == (WARN, "unknown (NotImplemented)")
    assert rows["encryption by the service"] == (WARN, "unknown (NotImplemented)")


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ({"Expiration": {"Days": 30}}, FAIL),
        ({"Expiration": {"Days": 31}}, OK),
        ({"Expiration": {"Days": 1}, "Status": "Disabled"}, OK),
        ({"Expiration": {"Date": datetime(2030, 1, 1, tzinfo=UTC)}}, FAIL),
        ({"Expiration": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}, OK),
    ],
)
def test_us6_3_a_rule_that_deletes_before_the_retention_fails(s3: Stubber, rule: dict[str, Any], verdict: str) -> None:
    rows = found(s3, rules=[RULE, RULE | {"ID": "early"} | rule])
    assert rows["lifecycle"][0] == verdict
    assert ("early" in rows["lifecycle"][1]) is (verdict == FAIL)


def test_us6_3_a_rule_that_deletes_dumps_before_their_year_fails(s3: Stubber) -> None:
    """Backups go after 30 days, monthly dumps after 365."""
    assert found(s3, rules=[RULE | {"Expiration": {"Days": 365}}], recipients=("age1",))["lifecycle"][0] == FAIL


def test_us6_4_where_the_bucket_is_not_there_nothing_else_is_tried(s3: Stubber) -> None:
    s3.add_client_error("head_bucket", service_error_code="404", http_status_code=404)
    configuration: Any = SimpleNamespace(store=STORE, days=30, recipients=())
    (row,) = bucket.findings(configuration)
    assert (row.what, row.verdict) == ("bucket", FAIL)
    assert "set s3_bucket" in row.found


def test_fr007_another_store_than_s3_is_left_to_pgbackrest() -> None:
    configuration: Any = SimpleNamespace(store=None, days=30, recipients=())
    (row,) = bucket.findings(configuration)
    assert row.verdict == WARN
