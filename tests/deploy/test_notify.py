"""People are told how a deployment ended, by whom it may concern; never with a secret, and never at the deployment's cost."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest

from lab.client import ROOT
from operations.deployment import DeploymentContext
from operations.hooks import called
from signupflow import notify
from signupflow.shared.channels import Channels, Mail
from tests.deploy.test_report import RECORD
from tests.webhook import Webhook, listening


@pytest.fixture
def sink() -> Iterator[Webhook]:
    with listening() as server:
        yield server


def test_us3_5_a_webhook_is_told_what_failed_and_where(sink: Webhook) -> None:
    failed = dataclasses.replace(
        RECORD, outcome="failed", failure_reason="web2: no health", rolled_back=("web1",), hosts=("web1",)
    )
    assert notify.send(failed, "production", Channels(sink.url)) == []
    (told,) = sink.bodies
    assert told["text"].startswith("*production: release 2.0 failed*\nweb2: no health\n")
    for word in ("ada@desk", "rolled back: web1", "300 requests, 0 failed"):
        assert word in told["text"]
    assert notify.subject(RECORD, "production") == "production: release 2.0 succeeded"


def test_sec001_a_notification_that_fails_says_so_without_the_secret_url(sink: Webhook) -> None:
    sink.status = 403
    problems = notify.send(RECORD, "production", Channels(sink.url, Mail(("ops@example.org",), host="127.0.0.1", port=1)))
    problems += notify.send(RECORD, "production", Channels("http://127.0.0.1:1/MARKERTOKEN"))
    problems += notify.send(RECORD, "production", Channels("no url MARKERTOKEN"))
    assert problems[0] == "the webhook answered 403"
    assert problems[1].startswith("mail could not be sent by 127.0.0.1:1: ")
    assert len(problems) == 4
    assert "MARKERTOKEN" not in "".join(problems)
    assert "MARKERTOKEN" not in repr(Channels(sink.url, Mail(password="MARKERTOKEN")))


def test_us3_5_a_hook_learns_of_the_run_and_its_failure_is_named() -> None:
    assert called("before", 'test "$SIGNUPFLOW_VERSION" = 2.0', {"VERSION": "2.0"}) == ""
    assert called("before", "exit 3", {}) == "the hook before exited 3: exit 3"


def test_us3_5_a_hook_s_variables_are_those_of_the_guide() -> None:
    """And those that the history has as well have its names."""
    given = {f"SIGNUPFLOW_{name}" for name in DeploymentContext().variables()}
    guide = (ROOT / "docs/operations/OPERATING.md").read_text().partition("## Notifications and hooks")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(SIGNUPFLOW_[A-Z_]+)`", guide)) == given
    known = {field.name.upper() for field in dataclasses.fields(RECORD)} | {"ENVIRONMENT", "REPORT"}
    assert {name.removeprefix("SIGNUPFLOW_") for name in given} <= known
