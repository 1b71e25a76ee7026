"""Notifications of a run's end and of alerts, and hooks."""

from __future__ import annotations

from pydantic import Field, model_validator

from signupflow.settings.forms import HostName, MailAddress, MailAddresses, Topic, Verbatim


class Notifications(Topic):
    """Notifications and hooks"""

    hook_before: Verbatim = Field(
        default="", description="Shell command on this machine before the first change; the run ends when it fails."
    )
    hook_after: Verbatim = Field(default="", description="Shell command on this machine at the end, however that came.")
    notify_mail_to: MailAddresses = Field(
        default=(),
        description="Who gets mail of each deployment's end and each alert; secret `notify_webhook_url` is a Slack-like webhook.",
    )
    notify_mail_from: MailAddress = Field(default="", description="Sender of that mail.")
    smtp_host: HostName = Field(
        default="",
        description="Mail server, as this machine and the database's host reach it; secrets `smtp_user`, `smtp_password`.",
    )
    smtp_port: int = Field(default=25, ge=1, le=65535, description="Its port; on 465 it speaks TLS from the first byte.")
    smtp_starttls: bool = Field(
        default=False, description="Refuse to mail without TLS (STARTTLS); where there is a `smtp_user` that is always so."
    )

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Notifications:
        if self.notify_mail_to and not self.smtp_host:
            raise ValueError("notify_mail_to needs smtp_host")
        return self
