"""An unexpected error reaches what stands for Sentry, and nothing about a person goes along."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest

from lab.client import Lab
from lab.waiting import wait_for
from tests.app.conftest import migrated_file, sqlite_url  # noqa: F401 - fixtures
from tests.app.harness import Organization, development
from tests.app.test_process import running

pytestmark = pytest.mark.lab


def received(lab: Lab, request_id: str, seconds: float = 20) -> list[dict[str, Any]]:
    """What the sink holds that names a request."""

    def named() -> list[dict[str, Any]]:
        messages = httpx.get(f"{lab['sink_url']}/messages?kind=sentry", trust_env=False).json()
        return [message for message in messages if request_id in json.dumps(message)]

    return wait_for(named, seconds, f"the sink has nothing of {request_id}", every=0.2)


def test_fr021_an_unexpected_error_reaches_sentry_without_personal_data(bare_lab: Lab, sqlite_url: str) -> None:  # noqa: F811
    key = bare_lab["sentry_dsn"].split("//")[1].split("@")[0]
    dsn = f"http://{key}@{bare_lab['sink_url'].split('//')[1]}/1"
    mark = f"personal-{secrets.token_hex(6)}"
    settings = development(sqlite_url, SENTRY_DSN=dsn, TRUSTED_PROXIES="127.0.0.0/8")
    with running(settings, "faults") as (_, address), httpx.Client(base_url=address, trust_env=False) as client:
        organization = Organization(client, name=f"{mark} church")
        headers = {**organization.admin, "Cookie": f"session={mark}", "X-Forwarded-For": "203.0.113.77", "User-Agent": mark}
        failed = client.get("/faults/error", params={"email": 1}, headers=headers)
        assert failed.status_code == 500
        (message,) = received(bare_lab, failed.headers["x-request-id"])
    text = json.dumps(message)
    assert "RuntimeError" in text, "the control: what happened is there"
    token = organization.admin["Authorization"].removeprefix("Bearer ")
    for personal in (mark, organization.email, token, "203.0.113.77"):
        assert personal not in text, personal
