import gzip
import json
import zlib
from collections.abc import Callable

import httpx
import pytest
import sentry_sdk

from lab.sink import sentry
from lab.sink.server import SENTRY_KEPT, SENTRY_SLACK, Messages
from tests.lab.sink import Sink

EVENT = json.dumps({"event_id": "e1", "message": "Grüße"}, ensure_ascii=False)
ENVELOPE = "\n".join(
    [
        '{"event_id": "e1"}',
        json.dumps({"type": "event", "length": len(EVENT.encode())}),
        EVENT,
        '{"type": "attachment", "length": 9}',
        "two\nlines",
        '{"type": "session"}',
        '{"sid": "s"}',
        "",
    ]
)


def post(sink: Sink, body: bytes, encoding: str = "", path: str = "/api/1/envelope/") -> httpx.Response:
    headers = {"Content-Encoding": encoding} if encoding else {}
    return httpx.post(f"{sink.url}{path}", content=body, headers=headers, trust_env=False)


def test_what_the_sdk_sends_is_kept(sink: Sink) -> None:
    client = sentry_sdk.Client(dsn=f"http://public@127.0.0.1:{sink.http}/7", default_integrations=False, release="r1")
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        try:
            raise LookupError("no such shift")
        except LookupError as error:
            number = scope.capture_exception(error)
    client.close(timeout=5)
    [kept] = sink.messages(kind="sentry")
    assert kept["project"] == "7"
    assert kept["headers"]["content-encoding"] == "gzip"
    [item] = [item for item in kept["items"] if item["type"] == "event"]
    assert (item["payload"]["event_id"], item["payload"]["release"]) == (number, "r1")
    assert item["payload"]["exception"]["values"][0]["value"] == "no such shift"
    assert "no such shift" in kept["body"]


@pytest.mark.parametrize(("encoding", "pack"), [("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_an_envelope_is_decoded_and_taken_apart(sink: Sink, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    answer = post(sink, pack(ENVELOPE.encode()), encoding)
    assert (answer.status_code, answer.json()) == (200, {"id": "e1"})
    [kept] = sink.messages()
    assert (kept["kind"], kept["path"], kept["body"]) == ("sentry", "/api/1/envelope/", ENVELOPE)
    assert [(item["type"], item["payload"]) for item in kept["items"]] == [
        ("event", json.loads(EVENT)),
        ("attachment", "two\nlines"),
        ("session", {"sid": "s"}),
    ]
    assert sink.messages(kind="webhook") == []


def test_the_older_store_endpoint_takes_a_bare_event(sink: Sink) -> None:
    assert post(sink, EVENT.encode(), path="/api/1/store/").json() == {"id": "e1"}
    [kept] = sink.messages(kind="sentry")
    assert kept["items"][0]["payload"] == json.loads(EVENT)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"nonsense", "", 400),
        (b"nonsense", "gzip", 400),
        (gzip.compress(ENVELOPE.encode())[:-20], "gzip", 400),
        (b'{}\n{"type": "event", "length": 99}\n{}', "", 400),
        (b"x", "br", 415),
        (gzip.compress(bytes(sentry.MAX_DECODED + 1)), "gzip", 413),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_kept(sink: Sink, body: bytes, encoding: str, status: int) -> None:
    assert post(sink, body, encoding).status_code == status
    assert sink.messages() == []


def test_the_oldest_of_many_go_and_mail_stays(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("data") / "messages.jsonl"
    messages = Messages(file)
    messages.keep("mail", subject="kept")
    for number in range(SENTRY_KEPT + SENTRY_SLACK + 1):
        messages.keep("sentry", body=str(number))
    assert [item["kind"] for item in messages.items[:2]] == ["mail", "sentry"]
    assert len(messages.items) == 1 + SENTRY_KEPT
    assert Messages(file).items == messages.items
