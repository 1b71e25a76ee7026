"""The database goes away and comes back."""

from __future__ import annotations

import time
from typing import Any

from lab.client import Lab

Evidence = dict[str, Any]


def database_stopped_and_started(lab: Lab) -> Evidence:
    """503 fast while PostgreSQL is stopped, alive all the time, and service by itself within 5 s of its start."""
    domain = lab["domains"][0]
    lab.wait_for_health(domain, seconds=30)
    lab.ssh(lab.the("db"), "sudo docker stop --time 30 signupflow-postgres")
    try:
        started = time.monotonic()
        health = lab.https(domain, "/health")
        health_seconds = time.monotonic() - started
        started = time.monotonic()
        ready = lab.https(domain, "/health/ready")
        ready_seconds = time.monotonic() - started
        live = lab.https(domain, "/health/live")
        started = time.monotonic()
        sign_in = lab.https(
            domain, "/api/v1/sessions", "POST", {"organization": "none", "email": "a@example.org", "password": "none"}
        )
        sign_in_seconds = time.monotonic() - started
        body = health.json()
    finally:
        lab.ssh(lab.the("db"), "sudo docker start signupflow-postgres")
    started = time.monotonic()
    lab.wait_for_health(domain, seconds=30)
    recovered = time.monotonic() - started
    evidence = {
        "health": health.status,
        "health_seconds": round(health_seconds, 2),
        "status": body["status"],
        "database": body["components"]["database"],
        "ready": ready.status,
        "ready_seconds": round(ready_seconds, 2),
        "live": live.status,
        "sign_in": sign_in.status,
        "sign_in_seconds": round(sign_in_seconds, 2),
        "recovered_seconds": round(recovered, 2),
    }
    assert (health.status, body["status"], body["components"]["database"]["status"]) == (503, "degraded", "unhealthy"), evidence
    # Seconds of headroom on a loaded machine; the measured value stands in the evidence.
    assert health_seconds < 3, evidence
    assert sign_in_seconds < 3, evidence
    assert live.status == 200, evidence
    assert sign_in.status == 503, evidence
    for word in ("psycopg2", "sqlalchemy", "could not", "signupflow-postgres", "Traceback"):
        assert word.lower() not in (health.body + sign_in.body).decode().lower(), evidence
    assert recovered < 5, evidence
    return evidence


def database_that_hangs(lab: Lab) -> Evidence:
    """PostgreSQL accepts nothing and refuses nothing (paused): /health still answers 503 within 10 s, and recovers."""
    domain = lab["domains"][0]
    lab.wait_for_health(domain, seconds=30)
    lab.ssh(lab.the("db"), "sudo docker pause signupflow-postgres")
    try:
        started = time.monotonic()
        health = lab.https(domain, "/health", timeout=20)
        seconds = time.monotonic() - started
    finally:
        lab.ssh(lab.the("db"), "sudo docker unpause signupflow-postgres")
    lab.wait_for_health(domain, seconds=10)
    evidence = {"health": health.status, "seconds": round(seconds, 2)}
    assert health.status == 503, evidence
    assert seconds < 10, evidence
    return evidence
