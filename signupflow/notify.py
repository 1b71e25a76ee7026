"""Telling people how a deployment ended: a Slack-compatible webhook, and mail.

A notification that cannot be sent never fails what it tells of. Its URL is a secret, and is in no message.
"""

from __future__ import annotations

import http.client
import json
import smtplib
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import EmailMessage

from signupflow.release.ledger import RELEASED, Record

TIMEOUT_SECONDS = 10.0


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


def subject(record: Record, environment: str) -> str:
    """One line: what, where, how it ended."""
    what = " ".join(word for word in (record.kind, record.version) if word)
    return f"{environment}: {what} {'succeeded' if record.outcome == RELEASED else record.outcome}"


def body(record: Record) -> str:
    """A few lines: why, who, how long, what was lost."""
    lines = [record.why] if record.why else []
    lines.append(f"by {record.owner} ({record.reason}), {record.seconds:.0f} s, run {record.run}")
    if record.hosts:
        lines.append(f"hosts: {', '.join(record.hosts)}")
    if record.taken_back:
        lines.append(f"taken back: {', '.join(record.taken_back)}")
    if record.probe:
        lines.append(f"requests through the public entry: {record.probe['failed']:g} failed of {record.probe['sent']:g}")
    return "\n".join(lines)


def send(record: Record, environment: str, channels: Channels) -> list[str]:
    """Tell every channel; what went wrong, one line each, without the webhook's URL."""
    title, text = subject(record, environment), body(record)
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


def _mailed(mail: Mail, title: str, text: str) -> list[str]:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = title, mail.sender or f"signupflow@{mail.host}", ", ".join(mail.to)
    message.set_content(text)
    try:
        with smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_SECONDS) as server:
            if mail.starttls:
                server.starttls()
            if mail.user:
                server.login(mail.user, mail.password)
            server.send_message(message)
            return []
    except (OSError, smtplib.SMTPException) as error:
        return [f"mail could not be sent by {mail.host}:{mail.port}: {error}"]
