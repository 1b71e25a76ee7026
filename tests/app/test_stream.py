"""The live stream: who hears of what, when, and what happens when something in between fails."""

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message

from app.models import Person
from app.signups import sign_up
from app.stream import answer
from app.stream.answer import EventStream
from app.stream.hub import BYE, MAX_BEHIND, MAX_STREAMS, MAX_STREAMS_OF_ONE, PAUSED, RESYNC, FullError, Hub
from app.stream.publish import Change
from lab.waiting import wait_for
from tests.app.browsing import signed_in
from tests.app.harness import Organization, Postgres, development, production, serving

SECONDS = 15


class Listener:
    """Reads a stream in a thread. `wait_for(event)` gives the data of the next event of that name."""

    def __init__(self, client: httpx.Client, headers: dict[str, str], path: str = "/api/v1/stream") -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._seen = 0
        self._client = httpx.Client(base_url=client.base_url, timeout=60)
        self._request = self._client.build_request("GET", path, headers=headers)
        self.response = self._client.send(self._request, stream=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            for line in self.response.iter_lines():
                self.lines.append(line)
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                if line.startswith("data: "):
                    self.events.append((name, json.loads(line.removeprefix("data: "))))
        self.ended.set()

    def wait_for(self, name: str) -> dict[str, Any]:
        return wait_for(lambda: self._next(name), SECONDS, f"no event {name}", every=0.01)[0]

    def _next(self, name: str) -> list[dict[str, Any]]:
        """The next event of that name that nobody waited for yet; none while there is none."""
        while self._seen < len(self.events):
            self._seen += 1
            if self.events[self._seen - 1][0] == name:
                return [self.events[self._seen - 1][1]]
        return []

    def close(self) -> None:
        # The reader sits in recv; shutting the socket down wakes it.
        with contextlib.suppress(OSError):
            self.response.extensions["network_stream"].get_extra_info("socket").shutdown(2)
        self._thread.join(SECONDS)
        self._client.close()


@contextlib.contextmanager
def listening(client: httpx.Client, headers: dict[str, str], **more: str) -> Iterator[Listener]:
    listener = Listener(client, headers, **more)
    try:
        assert listener.response.status_code == 200, listener.response.status_code
        yield listener
    finally:
        listener.close()


def eventually(check: Callable[[], bool]) -> None:
    wait_for(check, SECONDS, "it never came", every=0.01)


@pytest.fixture
def environment(postgres_url: str) -> dict[str, str]:
    return production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1")


def test_a_sign_up_at_one_replica_is_heard_at_the_other(environment: dict[str, str]) -> None:
    with serving(environment) as (here, _), serving(environment) as (there, _):
        organization = Organization(here)
        event, volunteer = organization.event(), organization.volunteer()
        with listening(there, organization.admin) as listener:
            assert listener.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert listener.response.headers["Cache-Control"] == "no-store"
            assert listener.response.headers["X-Accel-Buffering"] == "no"
            assert listener.wait_for("ready") == {}
            made = here.post(f"/api/v1/events/{event}/sign-ups", headers=volunteer, json={}).json()
            assert listener.wait_for("change") == {"event_id": event, "kind": "signed_up", "sign_up_id": made["id"]}
            here.delete(f"/api/v1/events/{event}/sign-ups/{made['id']}", headers=volunteer)
            assert listener.wait_for("change") == {"event_id": event, "kind": "cancelled", "sign_up_id": made["id"]}


def test_an_event_that_is_made_changed_or_removed_is_heard_of(client: httpx.Client) -> None:
    organization = Organization(client)
    with listening(client, organization.admin) as listener:
        event = organization.event()
        assert listener.wait_for("change") == {"event_id": event, "kind": "event_made", "sign_up_id": None}
        client.patch(f"/api/v1/events/{event}", headers=organization.admin, json={"title": "Later"})
        assert listener.wait_for("change")["kind"] == "event_changed"
        client.delete(f"/api/v1/events/{event}", headers=organization.admin)
        assert listener.wait_for("change")["kind"] == "event_removed"


def test_nobody_hears_of_other_organisations_and_of_what_was_not_committed(environment: dict[str, str]) -> None:
    with serving(environment) as (client, app):
        own, other = Organization(client), Organization(client)
        event, volunteer = own.event(), own.volunteer()
        with listening(client, own.admin) as listener:
            listener.wait_for("ready")
            foreign = client.post(f"/api/v1/events/{other.event()}/sign-ups", headers=other.admin, json={})
            assert foreign.status_code == 201
            with app.state.database.tenant(own.id) as session:
                sign_up(session, event, session.get(Person, own.admin_id))
                session.rollback()
            client.post(f"/api/v1/events/{event}/sign-ups", headers=volunteer, json={})
            assert listener.wait_for("change")["event_id"] == event
            assert [name for name, _ in listener.events].count("change") == 1


@pytest.mark.parametrize("path", ["/api/v1/stream", "/stream"])
def test_sec007_a_stream_is_refused_to_whoever_has_no_access(client: httpx.Client, path: str) -> None:
    organization = Organization(client)
    token = organization.volunteer()["Authorization"].removeprefix("Bearer ")
    people = client.get("/api/v1/people", headers=organization.admin).json()["items"]
    (volunteer,) = [person["id"] for person in people if person["id"] != organization.admin_id]
    client.patch(f"/api/v1/people/{volunteer}", headers=organization.admin, json={"status": "inactive"})
    for refused in ("", "x.y.z", token):
        headers = (
            {"Authorization": f"Bearer {refused}", "Cookie": f"session={refused}; __Host-session={refused}"} if refused else {}
        )
        with client.stream("GET", path, headers=headers) as answer:
            assert answer.status_code in {401, 303}, (refused, answer.status_code)
            assert not answer.headers["content-type"].startswith("text/event-stream")


def test_the_page_has_the_same_stream_by_its_cookie(client: httpx.Client) -> None:
    organization = Organization(client)
    event, person = organization.event(), signed_in(organization)
    cookie = {"Cookie": f"session={person.client.cookies['session']}"}
    with listening(client, cookie, path="/stream") as listener:
        listener.wait_for("ready")
        person.submit(f"/events/{event}/sign-up")  # SQLite: heard without NOTIFY
        assert listener.wait_for("change")["kind"] == "signed_up"


def test_the_database_goes_and_comes_and_streams_are_told(postgres: Postgres, environment: dict[str, str]) -> None:
    with serving(environment) as (client, _):
        organization = Organization(client)
        event, volunteer = organization.event(), organization.volunteer()
        with listening(client, organization.admin) as listener:
            listener.wait_for("ready")
            postgres.stop()
            try:
                listener.wait_for("paused")
                # A new stream needs the database to know its caller; the open one stays.
                assert client.get("/api/v1/stream", headers=organization.admin).status_code == 503
            finally:
                postgres.start()
            listener.wait_for("resync")
            eventually(lambda: client.get("/api/v1/people", headers=volunteer).status_code == 200)
            client.post(f"/api/v1/events/{event}/sign-ups", headers=volunteer, json={})
            assert listener.wait_for("change")["event_id"] == event


def test_who_comes_back_is_told_to_fetch_everything(client: httpx.Client) -> None:
    organization = Organization(client)
    with listening(client, organization.admin | {"Last-Event-ID": "018f"}) as listener:
        listener.wait_for("resync")
        assert listener.lines[0].startswith("retry: ")
        assert 1000 <= int(listener.lines[0].removeprefix("retry: ")) <= 3000
        assert listener.lines[1].startswith("id: 01")


def test_a_stream_ends_with_its_token(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.stream.routes.expires_at", lambda token: time.time() + 0.3)
    with serving(development(sqlite_url)) as (client, _):
        with listening(client, Organization(client).admin) as listener:
            assert listener.ended.wait(SECONDS)
            assert listener.events == [("ready", {})]
        assert client.get("/api/v1/stream").status_code == 401


def test_a_quiet_stream_has_a_heartbeat_and_ends_when_access_ends(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(answer, "CHECK_SECONDS", 0.1)
    with serving(development(sqlite_url)) as (client, app):
        organization = Organization(client)
        email = "leaves@x.org"
        made = client.post(
            "/api/v1/people",
            headers=organization.admin,
            json={"name": "Lea", "email": email, "password": "correct horse battery"},
        )
        with listening(client, organization.sign_in(email)) as listener:
            eventually(lambda: listener.lines.count(": ") > 5)
            assert not listener.ended.is_set()
            gone = client.patch(f"/api/v1/people/{made.json()['id']}", headers=organization.admin, json={"status": "inactive"})
            assert gone.status_code == 200
            assert listener.ended.wait(SECONDS)
        eventually(lambda: app.state.hub.open == 0)


def test_streams_hold_no_database_connection_and_are_bounded(environment: dict[str, str]) -> None:
    with serving(environment) as (client, app):
        organization = Organization(client)
        with contextlib.ExitStack() as stack:
            for _ in range(MAX_STREAMS_OF_ONE):
                stack.enter_context(listening(client, organization.admin)).wait_for("ready")
            eventually(lambda: app.state.database.pool()["active"] == 0)
            refused = client.get("/api/v1/stream", headers=organization.admin)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert f"signupflow_streams_open {MAX_STREAMS_OF_ONE}.0" in client.get("/metrics").text
            assert "signupflow_streams_paused 0.0" in client.get("/metrics").text
            with listening(client, organization.volunteer()) as other:
                other.wait_for("ready")
        eventually(lambda: app.state.hub.open == 0)


def test_the_log_line_of_a_stream_tells_its_time_to_answer(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    organization = Organization(client)
    asked = time.monotonic()
    with listening(client, organization.admin) as listener:
        listener.wait_for("ready")
        ready = time.monotonic()
        eventually(lambda: time.monotonic() - ready > 1)

    def logged() -> list[dict[str, Any]]:
        found = [getattr(record, "fields", {}) for record in caplog.records]
        return [fields for fields in found if fields.get("route") == "/api/v1/stream"]

    with caplog.at_level("INFO"):
        eventually(lambda: bool(logged()))
    assert logged()[0]["duration_ms"] / 1000 <= ready - asked


def names(subscription: Any) -> list[str]:
    return [subscription._queue.get_nowait().event for _ in range(subscription._queue.qsize())]


def test_a_slow_client_gets_one_resync_and_never_more_memory() -> None:
    hub = Hub()
    slow = hub.subscribe("org", "a")
    for number in range(MAX_BEHIND * 3 + 5):
        hub.deliver(Change("org", f"e{number}", "signed_up", number))
        assert slow._queue.qsize() <= MAX_BEHIND
    queued = names(slow)
    assert queued[0] == RESYNC.event
    assert set(queued[1:]) == {"change"}
    for number in range(MAX_BEHIND):
        hub.deliver(Change("org", f"e{number}", "signed_up", number))
    hub.close()
    assert names(slow) == [BYE.event]


def test_the_hub_is_bounded_and_forgets_who_left() -> None:
    hub = Hub(max_streams=3)
    fourth = hub.subscribe("org3", "d")
    first, second = hub.subscribe("org", "a"), hub.subscribe("org2", "b")
    with pytest.raises(FullError):
        hub.subscribe("org", "c")
    hub.leave(first)
    third = hub.subscribe("org", "c")
    hub.deliver(Change("org", "e", "changed"))
    hub.pause()
    hub.pause()
    assert names(third) == ["change", PAUSED.event]
    assert names(second) == [PAUSED.event]
    assert names(first) == []
    hub.leave(second)
    hub.leave(third)
    hub.leave(fourth)
    assert hub.open == 0
    assert not hub._subscriptions
    hub.close()
    with pytest.raises(FullError):
        hub.subscribe("org", "a")


def test_d4_one_organisation_leaves_room_for_the_others() -> None:
    """Fifty people with twenty streams each could take all of a replica's."""
    hub = Hub()

    def taken(org: str) -> int:
        """How many streams all its people together get."""
        got = 0
        for person, _ in itertools.product(range(50), range(MAX_STREAMS_OF_ONE)):
            with contextlib.suppress(FullError):
                hub.subscribe(org, f"{org} {person}")
                got += 1
        return got

    assert taken("greedy") == MAX_STREAMS // 2
    assert taken("as greedy") == MAX_STREAMS // 4
    # Whoever comes then, and is small, is served in full.
    for org in ("small", "smaller"):
        for person in range(20):
            hub.subscribe(org, f"{org} {person}")


def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(answer, "HEARTBEAT_SECONDS", 0.01)

    async def stuck() -> int:
        hub = Hub()
        sent = 0

        async def send(message: Message) -> None:
            nonlocal sent
            sent += 1
            if sent > 2:
                await asyncio.Event().wait()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def allowed() -> bool:
            return True

        stream = EventStream(hub, "org", "a", time.time() + 60, allowed, None)
        await asyncio.wait_for(stream({"type": "http"}, receive, send), SECONDS)
        return hub.open

    assert asyncio.run(stuck()) == 0


@pytest.mark.parametrize("payload", ["", "[]", "7", '{"org_id":"x"}', '{"org_id":"x","event_id":"y","kind":"z","new":1}'])
def test_a_payload_of_another_release_is_no_change(payload: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Change.decoded(payload)


def test_a_payload_holds_ids_only_and_fits() -> None:
    change = Change("o" * 60, "event_" + "f" * 32, "signed_up", 2**31)
    assert Change.decoded(change.encoded()) == change
    assert len(change.encoded()) < 400
    assert set(json.loads(change.encoded())) == {"org_id", "event_id", "kind", "sign_up_id"}
