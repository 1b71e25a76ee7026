"""People are told by a webhook and by mail; one that is out of order never hides the other."""

from __future__ import annotations

import base64
import ipaddress
import os
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BufferedRWPair
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backup import notify
from deploys.backups.configuration import TEMPLATES
from signupflow.render import template
from signupflow.settings import from_data
from signupflow.shared.channels import Channels, Mail, deliver
from tests.proofs.configuration import DEPLOY_EXAMPLE
from tests.webhook import Webhook, listening


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with listening() as server:
        yield server


class Post:
    """A mail server that takes everything, one connection after the other; with AUTH, and with STARTTLS if it has a key."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls, self.in_the_clear = tls, list[str]()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.commands: list[str] = []
        self.mails: list[str] = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            with connection:
                with connection.makefile("rwb") as stream:
                    goes_on = self.talk(stream)
                if goes_on is None and self.tls:
                    wrapped = self.tls.wrap_socket
                    with suppress(OSError), wrapped(connection, server_side=True) as safe, safe.makefile("rwb") as stream:
                        goes_on = self.talk(stream, secret=True)
            if goes_on is False:
                return

    def talk(self, stream: BinaryIO | BufferedRWPair, secret: bool = False) -> bool | None:
        """Until the client goes (True), the test ends (False), or TLS is to begin (None)."""

        def say(line: bytes) -> None:
            stream.write(line + b"\r\n")
            stream.flush()

        if not secret:
            say(b"220 ready")
        while line := stream.readline().decode().strip():
            self.commands.append(line)
            if not secret:
                self.in_the_clear.append(line)
            command = line.upper()
            if command == "STARTTLS" and self.tls:
                say(b"220 go on")
                return None
            if command == "END":
                return False
            if command.startswith("EHLO"):
                say(b"250-here\r\n" + (b"250-STARTTLS\r\n" if self.tls and not secret else b"") + b"250 AUTH PLAIN")
            elif command == "AUTH PLAIN":
                # curl asks first; smtplib sends all at once.
                say(b"334 ")
                self.commands[-1] += f" {stream.readline().decode().strip()}"
                say(b"235 you may")
            elif command == "DATA":
                say(b"354 go on")
                lines = list(iter(stream.readline, b".\r\n"))
                self.mails.append(b"".join(lines).decode())
                say(b"250 taken")
            else:
                say(b"235 you may" if command.startswith("AUTH") else b"221 bye" if command == "QUIT" else b"250 well")
        return True

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"END\r\n")
        self.thread.join()
        self.listening.close()


@pytest.fixture
def post() -> Iterator[Post]:
    server = Post()
    yield server
    server.close()


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    made = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "post of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, made.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(made, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = made.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("post") / "post.pem"
    path.write_bytes(private + certificate.public_bytes(encoding))
    return path


@pytest.fixture
def covered(key: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A mail server with STARTTLS, whose certificate this machine trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key)
    monkeypatch.setenv("SSL_CERT_FILE", str(key))
    server = Post(context)
    yield server
    server.close()


def mail(server: Post, **changes: object) -> Mail:
    return Mail(**{"to": ("ops@example.org", "ada@example.org"), "host": "127.0.0.1", "port": server.port, **changes})


def test_us6_4_every_channel_is_told(hook: Webhook, post: Post) -> None:
    channels = Channels(hook.url, mail(post))
    assert channels.count == 2
    assert deliver(channels, "production: ALERT backup-failed", "why\nThere is no good backup yet.") == []
    assert [body["text"] for body in hook.bodies] == ["*production: ALERT backup-failed*\nwhy\nThere is no good backup yet."]
    (text,) = post.mails
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    assert "Subject: production: ALERT backup-failed" in head
    assert "To: ops@example.org, ada@example.org" in head
    assert "From: signupflow@127.0.0.1" in head
    assert body == "why\nThere is no good backup yet.\n"
    taken = [line.upper() for line in post.commands if line.upper().startswith("RCPT")]
    assert taken == ["RCPT TO:<OPS@EXAMPLE.ORG>", "RCPT TO:<ADA@EXAMPLE.ORG>"]


def test_us6_4_nobody_is_told_by_a_channel_that_is_not_set() -> None:
    assert Channels().count == 0
    assert deliver(Channels(), "title", "text") == []


def test_us6_4_a_channel_that_is_out_of_order_does_not_hide_the_other(hook: Webhook, post: Post) -> None:
    hook.status = 500
    assert deliver(Channels(hook.url, mail(post)), "title", "text") == ["the webhook answered 500"]
    assert len(post.mails) == 1
    hook.status = 200
    (problem,) = deliver(Channels(hook.url, mail(post, port=1)), "title", "text")
    assert problem.startswith("mail could not be sent by 127.0.0.1:1: ")
    assert len(hook.bodies) == 2


def test_sec002_without_the_tls_that_was_asked_for_no_password_and_no_mail_is_sent(post: Post) -> None:
    (problem,) = deliver(Channels("", mail(post, starttls=True, user="ops", password="MARKERTOKEN")), "title", "text")
    assert "STARTTLS" in problem
    assert post.mails == []
    assert not [line for line in post.commands if line.startswith("AUTH")]


def test_c13_no_password_is_sent_in_the_clear_whatever_the_settings_say(post: Post) -> None:
    (problem,) = deliver(Channels("", mail(post, user="ops", password="MARKERTOKEN")), "title", "text")
    assert "no password is sent without TLS" in problem
    assert "MARKERTOKEN" not in problem
    assert post.mails == []
    assert not [line for line in post.commands if line.startswith("AUTH")]


def test_c13_whom_this_machine_does_not_trust_gets_no_password(covered: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    (problem,) = deliver(Channels("", mail(covered, user="ops", password="MARKERTOKEN")), "title", "text")
    assert "certificate" in problem.lower()
    assert not [line for line in covered.commands if line.startswith("AUTH")]


def test_us6_4_mail_is_sent_by_who_may(covered: Post) -> None:
    post = covered
    sent = mail(post, user="ops", password="MARKERTOKEN", sender="backups@example.org")
    assert deliver(Channels("", sent), "title", "text") == []
    assert [line for line in post.commands if line.startswith("AUTH PLAIN ")]
    assert "From: backups@example.org" in post.mails[0]
    assert [line.split()[0].upper() for line in post.in_the_clear] == ["EHLO", "STARTTLS"]


def test_us6_4_a_password_that_mail_cannot_carry_is_a_problem_that_is_named(covered: Post) -> None:
    post = covered
    # RFC 4954 takes ASCII from smtplib's login; whoever calls must not fall over it.
    (problem,) = deliver(Channels("", mail(post, user="ops", password="pässwort")), "title", "text")
    assert problem.startswith(f"mail could not be sent by 127.0.0.1:{post.port}: ")
    assert "pässwort" not in problem


def configured(post: Post, port: int | None = None) -> Any:
    """All that notifying reads of a configuration."""
    return SimpleNamespace(mail=Mail(("ops@example.org",), "", "127.0.0.1", port or post.port, False))


def test_us6_4_one_channel_that_took_it_is_enough(hook: Webhook, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "secret", lambda name: hook.url if name == "notify_webhook_url" else "")
    hook.status = 500
    assert notify.send(configured(post), "subject", "text") == []
    assert len(notify.send(configured(post, port=1), "subject", "text")) == 2, "none took it"
    hook.status = 200
    assert notify.send(configured(post, port=1), "subject", "text") == []


def test_us6_4_a_mail_server_that_refuses_is_named(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object, **__: object) -> None:
        raise smtplib.SMTPRecipientsRefused({"ops@example.org": (550, b"no such user")})

    monkeypatch.setattr(smtplib.SMTP, "send_message", no)
    (problem,) = deliver(Channels("", mail(post)), "title", "text")
    assert "550" in problem


@pytest.mark.parametrize("user", ["", "ops"])
def test_us6_4_the_last_resort_logs_in_where_mail_wants_it_and_shows_no_secret(
    user: str, covered: Post, key: Path, tmp_path: Path
) -> None:
    """The script that speaks when nothing else on the host does: curl and files, and no password on a command line."""
    post = covered
    env = from_data(
        {**DEPLOY_EXAMPLE, "notify_mail_to": ["ops@helpers.org"], "smtp_host": "127.0.0.1", "smtp_port": post.port}, "web1"
    )
    password = 'MARK"ER\\TOKEN'
    for name, value in (("smtp_user", user), ("smtp_password", password)):
        if user:
            (tmp_path / name).write_text(value)
    script = template(TEMPLATES / "unwatched.sh.j2", env=env, host="web1", state=str(tmp_path), secrets=str(tmp_path))
    for _ in range(2):
        trust = {"CURL_CA_BUNDLE": str(key), "PATH": os.environ["PATH"]}
        done = subprocess.run(["sh", "-x"], input=script, capture_output=True, text=True, check=False, env=trust)
        assert done.returncode == 0, done.stderr
    (text,) = post.mails
    assert "nobody watches over the backups on web1" in text, "once a day"
    logins = [base64.b64decode(line.split()[2]) for line in post.commands if line.startswith("AUTH PLAIN ")]
    assert logins == ([b"\0ops\0" + password.encode()] if user else [])
    assert not [line for line in done.stderr.splitlines() if "curl" in line and "MARK" in line]
    assert not [line for line in post.in_the_clear if line.startswith("AUTH")]


def test_c13_the_last_resort_sends_no_password_without_tls_either(post: Post, tmp_path: Path) -> None:
    env = from_data(
        {**DEPLOY_EXAMPLE, "notify_mail_to": ["ops@helpers.org"], "smtp_host": "127.0.0.1", "smtp_port": post.port}, "web1"
    )
    for name in ("smtp_user", "smtp_password"):
        (tmp_path / name).write_text("MARKERTOKEN")
    script = template(TEMPLATES / "unwatched.sh.j2", env=env, host="web1", state=str(tmp_path), secrets=str(tmp_path))
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert post.mails == []
    assert not [line for line in post.commands if line.startswith("AUTH")]
