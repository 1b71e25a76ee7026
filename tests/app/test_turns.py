"""Many requests and few connections: whoever has a connection must always be able to go on."""

from __future__ import annotations

import collections
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.harness import Organization, development, serving

pytestmark = pytest.mark.slow


def test_sc011_requests_wait_for_connections_without_blocking_those_that_have_one(postgres_url: str) -> None:
    """Without turns, 100 requests fill all worker threads with waiting, and most end as 503 after the pool's timeout.

    That is as long as it can be set to: whoever only waits for a busy machine ends before it, who stands still does not.
    """
    settings = {**development(postgres_url), "DB_CONNECTIONS": "4", "DB_CONNECT_TIMEOUT": "30", "RATE_LIMIT_PER_SECOND": "0"}
    with serving(settings) as (client, app):
        client.timeout = 120
        organization = Organization(client)
        wanted = {"type": "service", "start_time": "2027-01-03T09:00:00Z", "end_time": "2027-01-03T11:00:00Z"}

        def ask(number: int) -> int:
            if number % 2:
                return client.post("/api/v1/events", headers=organization.admin, json=wanted).status_code
            return client.get("/api/v1/events?limit=1", headers=organization.admin).status_code

        with ThreadPoolExecutor(100) as pool:
            statuses = collections.Counter(pool.map(ask, range(300)))
        assert statuses == {200: 150, 201: 150}
        assert app.state.database.pool()["active"] == 0
