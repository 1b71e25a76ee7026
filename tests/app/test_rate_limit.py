"""Limits by the client's address, and by account for failed sign-ins; the clock is the test's."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from app import rate_limit
from app.errors import ApiError
from app.rate_limit import MOST_KEYS, Buckets, RateLimits, client_key
from app.settings import Settings
from tests.app.harness import PASSWORD, Organization, development, serving


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def limited(sqlite_url: str, **changes: str) -> Iterator[tuple[httpx.Client, Clock, FastAPI]]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rate_limit.RateLimits.__init__, "__defaults__", (clock,))
        with serving(development(sqlite_url, **changes)) as (client, app):
            yield client, clock, app


def settings(**changes: str) -> Settings:
    return Settings.from_environment({"APP_ENV": "development", **changes})


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(rate=2, burst=3, clock=clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    clock.now += 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    clock.now += 3600
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]  # never more than the burst
    buckets.give_back("a")
    assert buckets.take("a") == 0


def test_memory_is_bounded_and_the_idlest_is_forgotten() -> None:
    buckets = Buckets(rate=0.001, burst=1, clock=Clock())
    assert buckets.take("first") == 0
    assert buckets.take("second") == 0
    for number in range(MOST_KEYS - 1):
        buckets.take(str(number))
    assert len(buckets) == MOST_KEYS
    assert buckets.take("second") > 0
    assert buckets.take("first") == 0  # forgotten


@pytest.mark.parametrize(
    ("client", "key"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(client: str, key: str) -> None:
    assert client_key(client) == key


def test_a_hundred_requests_a_second_from_one_address_are_not_limited_by_default() -> None:
    clock = Clock()
    limits = RateLimits(settings(), clock)
    for _ in range(100 * 120):
        limits.request("198.51.100.7")
        clock.now += 0.01
    for _ in range(400):
        limits.request("198.51.100.8")
    with pytest.raises(ApiError):
        limits.request("198.51.100.8")


def test_requests_above_the_limit_are_told_when_to_come_back(sqlite_url: str) -> None:
    with limited(sqlite_url, RATE_LIMIT_PER_SECOND="1", RATE_LIMIT_BURST="3") as (client, clock, _):
        assert [client.get("/nope").status_code for _ in range(4)] == [404, 404, 404, 429]
        refused = client.get("/api/v1/people", headers={"Accept-Language": "fr"})
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "1"
        assert refused.json()["error"]["code"] == "rate_limited"
        assert "requêtes" in refused.json()["error"]["message"]
        for probe in ("/health", "/health/live", "/health/ready", "/metrics"):
            assert client.get(probe).status_code == 200
        clock.now += 1
        assert [client.get("/nope").status_code for _ in range(2)] == [404, 429]


def test_a_forged_header_does_not_make_another_client(sqlite_url: str) -> None:
    limits = {"RATE_LIMIT_PER_SECOND": "1", "RATE_LIMIT_BURST": "2"}
    forged = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(3)]
    with limited(sqlite_url, **limits) as (client, _, _):
        assert [client.get("/nope", headers=header).status_code for header in forged] == [404, 404, 429]
    with limited(sqlite_url, TRUSTED_PROXIES="127.0.0.1/32", **limits) as (client, _, _):
        assert [client.get("/nope", headers=header).status_code for header in forged] == [404, 404, 404]
        behind = [{"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.9"} for number in range(3)]
        assert [client.get("/nope", headers=header).status_code for header in behind] == [404, 404, 429]


def test_zero_is_no_limit() -> None:
    limits = RateLimits(settings(RATE_LIMIT_PER_SECOND="0", SIGN_IN_LIMIT_PER_MINUTE="0"), Clock())
    for _ in range(1000):
        limits.request("198.51.100.7")
        limits.attempt()
        with contextlib.suppress(ApiError), limits.guess("o", "e"):
            raise ApiError(401, "invalid_credentials")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/sessions", {"organization": "x", "email": "x@x.org", "password": "x"}),
        ("/api/v1/organizations", {}),
        ("/api/v1/invitations/accept", {"organization": "x", "token": "x", "name": "x", "password": PASSWORD}),
    ],
)
def test_sec007_what_takes_a_secret_is_limited_by_address(sqlite_url: str, path: str, body: dict[str, str]) -> None:
    with limited(sqlite_url, SIGN_IN_LIMIT_PER_MINUTE="6") as (client, clock, _):
        # Another account each time, so that it is the address that counts.
        answers = [client.post(path, json=body | ({"email": f"{n}@x.org"} if "email" in body else {})) for n in range(7)]
        assert 429 not in {answer.status_code for answer in answers[:6]}
        assert (answers[6].status_code, answers[6].headers["Retry-After"]) == (429, "10")
        clock.now += 10
        assert [client.post(path, json=body).status_code == 429 for _ in range(2)] == [False, True]


def test_sec007_many_addresses_cannot_guess_at_one_account(sqlite_url: str) -> None:
    changes = {"SIGN_IN_LIMIT_PER_MINUTE": "6", "TRUSTED_PROXIES": "127.0.0.1/32"}
    with limited(sqlite_url, **changes) as (client, clock, _):
        organization = Organization(client)
        right = {"organization": organization.id, "email": organization.email, "password": PASSWORD}
        numbers = iter(range(1, 250))

        def attempt(**change: str) -> int:
            address = {"X-Forwarded-For": f"198.51.100.{next(numbers)}"}
            return client.post("/api/v1/sessions", json=right | change, headers=address).status_code

        assert {attempt() for _ in range(12)} == {201}  # what succeeds does not count
        wrong = [attempt(password="guess", email=organization.email.swapcase()) for _ in range(7)]
        assert wrong == [401] * 6 + [429]
        assert attempt() == 429
        assert attempt(email="somebody-else@x.org") == 401
        clock.now += 10
        assert attempt() == 201


def test_trouble_of_our_own_is_not_a_failed_attempt() -> None:
    limits = RateLimits(settings(SIGN_IN_LIMIT_PER_MINUTE="1"), Clock())
    for error in (RuntimeError(), ApiError(503, "database_unavailable")):
        with contextlib.suppress(type(error)), limits.guess("o", "e"):
            raise error
    with limits.guess("o", "e"):
        pass
