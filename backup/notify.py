"""Notifications by the channels of this environment."""

from __future__ import annotations

from dataclasses import replace

from backup.configuration import Configuration, secret
from signupflow.shared.channels import Channels, deliver


class UntoldError(Exception):
    """Something had to be told, and no channel took it."""


def send(configuration: Configuration, subject: str, text: str) -> list[str]:
    """Tell every channel. What went wrong, one line each, when none took it: one that did is enough."""
    mail = replace(configuration.mail, user=secret("smtp_user"), password=secret("smtp_password"))
    channels = Channels(secret("notify_webhook_url"), mail)
    problems = deliver(channels, subject, text)
    return problems if len(problems) == channels.count else []
