"""Organisations and events in a running lab, made as a client makes them: over HTTPS."""

from __future__ import annotations

import uuid
from typing import Any

from lab.client import Lab


def organisation(lab: Lab) -> tuple[str, str]:
    """A new organisation; its id and its admin's token."""
    domain, mark = lab["domains"][0], uuid.uuid4().hex[:8]
    credentials = {"email": f"admin-{mark}@example.org", "password": f"long enough {mark}"}
    admin = {"name": "Ada", **credentials}
    made = lab.https(domain, "/api/v1/organizations", "POST", {"name": f"Org {mark}", "admin": admin})
    assert made.status == 201, made.body
    identifier: str = made.json()["organization"]["id"]
    signed_in = lab.https(domain, "/api/v1/sessions", "POST", {"organization": identifier, **credentials})
    assert signed_in.status == 201, signed_in.body
    return identifier, signed_in.json()["access_token"]


def event(lab: Lab, token: str) -> dict[str, Any]:
    body = {"type": "service", "start_time": "2027-01-10T09:00:00Z", "end_time": "2027-01-10T11:00:00Z"}
    made = lab.https(lab["domains"][0], "/api/v1/events", "POST", body, token)
    assert made.status == 201, made.body
    found: dict[str, Any] = made.json()
    return found
