"""Notifications of how a deployment ended: a Slack-compatible webhook, and mail.

A notification that cannot be sent never fails what it tells of. Its URL is a secret, and is in no message.
"""

from __future__ import annotations

from signupflow.release.ledger import RELEASED, Record
from signupflow.shared.channels import Channels, deliver


def subject(record: Record, environment: str) -> str:
    """One line: what, where, how it ended."""
    what = " ".join(word for word in (record.kind, record.version) if word)
    return f"{environment}: {what} {'succeeded' if record.outcome == RELEASED else record.outcome}"


def body(record: Record) -> str:
    """A few lines: why, who, how long, what was lost."""
    lines = [record.failure_reason] if record.failure_reason else []
    lines.append(f"by {record.deployed_by} ({record.reason}), {record.seconds:.0f} s, run {record.run}")
    if record.hosts:
        lines.append(f"hosts: {', '.join(record.hosts)}")
    if record.rolled_back:
        lines.append(f"rolled back: {', '.join(record.rolled_back)}")
    if record.probe:
        lines.append(f"live traffic check: {record.probe['sent']:,.0f} requests, {record.probe['failed']:,.0f} failed")
    return "\n".join(lines)


def send(record: Record, environment: str, channels: Channels) -> list[str]:
    """Tell every channel; what went wrong, one line each."""
    return deliver(channels, subject(record, environment), body(record))
