"""Channels to people: a Slack-compatible webhook, and mail. Standard library only: hosts' commands use it as well.

The webhook's URL is a secret, and is in no message.
"""

from __future__ import annotations

import http.client
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import EmailMessage

TIMEOUT_SECONDS = 10.0
# Where TLS is spoken from the first byte (RFC 8314).
SUBMISSIONS = 465


@dataclass(frozen=True)
class Mail:
    """How mail is sent: `to` nobody means not at all."""

    to: tuple[str, ...] = ()
    sender: str = ""
    host: str = ""
    port: int = 25
    starttls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Channels:
    """Where notifications go; an empty one is not used."""

    webhook_url: str = field(default="", repr=False)
    mail: Mail = Mail()

    @property
    def count(self) -> int:
        """How many channels there are."""
        return bool(self.webhook_url) + bool(self.mail.to)


def deliver(channels: Channels, title: str, text: str) -> list[str]:
    """Tell every channel; what went wrong, one line each, without the webhook's URL."""
    problems = []
    if channels.webhook_url:
        problems += _posted(channels.webhook_url, f"*{title}*\n{text}")
    if channels.mail.to:
        problems += _mailed(channels.mail, title, text)
    return problems


def _posted(url: str, text: str) -> list[str]:
    data = json.dumps({"text": text}).encode()
    try:
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - the operator's own URL
            return []
    except urllib.error.HTTPError as error:
        return [f"the webhook answered {error.code}"]
    except (OSError, ValueError, http.client.HTTPException) as error:
        return [f"the webhook could not be reached: {type(getattr(error, 'reason', error)).__name__}"]


def _server(mail: Mail) -> smtplib.SMTP:
    """The mail server; by TLS where that was asked for, and wherever a password follows. Its certificate is verified."""
    context = ssl.create_default_context()
    if mail.port == SUBMISSIONS:
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_SECONDS)
    try:
        if mail.starttls or mail.user:
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _mailed(mail: Mail, title: str, text: str) -> list[str]:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = title, mail.sender or f"signupflow@{mail.host}", ", ".join(mail.to)
    message.set_content(text)
    try:
        with _server(mail) as server:
            if mail.user:
                server.login(mail.user, mail.password)
            server.send_message(message)
            return []
    except smtplib.SMTPNotSupportedError as error:
        why = f"{error}; no password is sent without TLS" if mail.user else str(error)
        return [f"mail could not be sent by {mail.host}:{mail.port}: {why}"]
    except UnicodeError:
        return [f"mail could not be sent by {mail.host}:{mail.port}: its user or password is not ASCII"]
    except (OSError, smtplib.SMTPException) as error:
        return [f"mail could not be sent by {mail.host}:{mail.port}: {error}"]
