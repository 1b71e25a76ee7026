import json
import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path

import httpx

from tests.lab.sink import Sink


def send(sink: Sink, subject: str, body: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "app@demo.test", "a@demo.test, b@demo.test", subject
    mail.set_content(body)
    with smtplib.SMTP("127.0.0.1", sink.smtp, timeout=5) as client:
        client.send_message(mail)


def test_a_mail_is_kept_whole(sink: Sink) -> None:
    send(sink, "Grüße", "first\n.\n.dotted\nlast: wörld\n")
    [mail] = sink.messages()
    assert mail["kind"] == "mail"
    assert mail["subject"] == "Grüße"
    assert mail["recipients"] == ["a@demo.test", "b@demo.test"]
    assert str(mail["body"]).splitlines() == ["first", ".", ".dotted", "last: wörld"]


def test_a_webhook_is_kept_with_its_json(sink: Sink) -> None:
    answer = httpx.post(f"{sink.url}/hooks/alert?x=1", json={"alert": "disk"}, headers={"X-Key": "k"}, trust_env=False)
    assert answer.status_code == 200
    [hook] = sink.messages(kind="webhook")
    assert (hook["method"], hook["path"], hook["json"]) == ("POST", "/hooks/alert?x=1", {"alert": "disk"})
    headers = hook["headers"]
    assert isinstance(headers, dict)
    assert headers["x-key"] == "k"


def test_a_chunked_webhook_is_kept(sink: Sink) -> None:
    httpx.post(f"{sink.url}/hook", content=iter([b"one ", b"two"]), trust_env=False)
    assert [hook["body"] for hook in sink.messages()] == ["one two"]


def test_a_receiver_that_fails_can_be_asked_for(sink: Sink) -> None:
    assert httpx.post(f"{sink.url}/status/503/hook", content=b"x", trust_env=False).status_code == 503
    assert len(sink.messages()) == 1


def test_messages_can_be_narrowed_and_forgotten(sink: Sink) -> None:
    send(sink, "one", "1")
    httpx.post(f"{sink.url}/hook", content=b"2", trust_env=False)
    assert [message["kind"] for message in sink.messages()] == ["mail", "webhook"]
    assert [message["id"] for message in sink.messages(since="1")] == [2]
    assert httpx.delete(f"{sink.url}/messages", trust_env=False).status_code == 200
    assert sink.messages() == []


def test_messages_survive_a_kill_even_in_the_middle_of_a_line(tmp_path: Path) -> None:
    first = Sink(tmp_path)
    send(first, "kept", "1")
    first.stop()
    with (tmp_path / "messages.jsonl").open("a") as out:
        out.write('{"id": 2, "kind": "ma')
    second = Sink(tmp_path)
    try:
        assert [message["subject"] for message in second.messages()] == ["kept"]
        assert json.loads((tmp_path / "messages.jsonl").read_text().splitlines()[0])["id"] == 1
    finally:
        second.stop()


def test_nonsense_does_not_stop_the_server(sink: Sink) -> None:
    for port in (sink.smtp, sink.http):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(b"\x00\xff nonsense\r\n\r\n")
    send(sink, "still here", "x")
    assert [message["subject"] for message in sink.messages()] == ["still here"]
