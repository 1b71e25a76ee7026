"""What an environment does without, as it was set up: said at the end of `init`, because nothing else would."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from signupflow.settings import Environment

GUIDE = "docs/operations/BACKUP_RESTORE.md"


def lines(env: Environment, secrets: Collection[str]) -> Iterator[str]:
    """A line for each, with the settings that would change it; `secrets` are the names that the secrets file holds."""
    if not env.backed_up:
        yield "no backups: s3_endpoint, s3_bucket and their keys"
    elif env.s3_bucket and not env.backup_recipients:
        yield "no weekly and monthly dumps for a key that no host holds: backup_recipients"
    if not (env.notify_mail_to or "notify_webhook_url" in secrets):
        yield "failed releases and backups notify nobody: set notify_mail_to and smtp_host, or the secret notify_webhook_url"
