"""Which request is sent when."""

from __future__ import annotations

from collections.abc import Sequence

from tests.traffic.wire import Request

# Of ten short requests, by how they travel and, independently of it, by what they ask. Only six of ten count against the
# app's limit of 100 requests a second for each address and replica (app/rate_limit.py; health is not counted), so that
# 150 requests a second stay within it while a single replica answers them all.
CONNECTIONS = ["keepalive", "fresh", "h2", "keepalive", "h2", "fresh", "keepalive", "h2", "fresh", "keepalive"]
QUESTIONS = ["post", "get", "live", "live", "post", "get", "live", "post", "get", "live"]
KINDS = sorted({f"{connection}-{question}" for connection in CONNECTIONS for question in QUESTIONS})

EVENT = b'{"type":"service","start_time":"2027-01-10T09:00:00Z","end_time":"2027-01-10T11:00:00Z"}'
EVENTS = "/api/v1/events"

SLOW = Request("GET", "/faults/slow?seconds=5")
DOWNLOAD_MEGABYTES = 50
DOWNLOAD = Request("GET", f"/faults/download?megabytes={DOWNLOAD_MEGABYTES}")


def short(number: int, tokens: Sequence[str]) -> tuple[str, str, Request]:
    """The connection, the question and the request of that number; a hundred in a row hold every pair in its share.

    The first organisation is only read: what a read costs would otherwise grow with the events that the traffic makes.
    """
    connection, question = CONNECTIONS[number % 10], QUESTIONS[(number + number // 10) % 10]
    if question == "post":
        return connection, question, Request("POST", EVENTS, tokens[1 + number % (len(tokens) - 1)], EVENT)
    if question == "get":
        return connection, question, Request("GET", f"{EVENTS}?limit=5", tokens[0])
    return connection, question, Request("GET", "/health/live")


def stream(token: str) -> Request:
    return Request("GET", "/api/v1/stream", token)
