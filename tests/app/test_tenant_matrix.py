"""Every route of the application, asked by everybody for another organisation's things (the engine: tenant_matrix)."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from app import tenancy
from app.main import create_app
from app.models import Base
from app.routes import teams
from app.security import issue_token, read_token
from app.settings import Settings
from app.tenancy import TENANCY, condition
from tests.app.harness import production, serving
from tests.app.tenant_matrix import CASES, EXEMPT, OK, Answer, Case, Row, Send, Side, attack, own, prepare

pytestmark = pytest.mark.slow


def routes(app: FastAPI) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for context in iter_route_contexts(app.routes):
        methods, path = context.methods or set(), context.path
        assert path is not None
        found |= {(method, path) for method in methods if method not in {"HEAD", "OPTIONS"} or methods == {method}}
    return found


def test_sec007_every_route_has_a_case_or_a_reason() -> None:
    app = create_app(Settings.from_environment({"APP_ENV": "development", "DATABASE_URL": "sqlite://"}))
    known = {(case.method, case.route) for case in CASES} | set(EXEMPT)
    assert len(routes(app)) > 50
    assert routes(app) == known

    @app.post("/api/v1/forgotten/{id}")
    def forgotten(id: str) -> None:
        """A route that nobody thought of."""

    assert routes(app) - known == {("POST", "/api/v1/forgotten/{id}")}


@dataclasses.dataclass
class Place:
    app: FastAPI
    send: Send
    ours: Side
    theirs: Side

    def dump(self, side: Side) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of an organisation in all tables."""
        with self.app.state.database.engine.connect() as connection:
            tables = (Base.metadata.tables[name] for name in TENANCY)
            return {
                table.name: sorted(
                    map(tuple, connection.execute(select(table).where(condition(table, str(side.ids["org_id"]))))), key=repr
                )
                for table in tables
            }

    def expired(self, side: Side) -> str:
        """Their administrator's token as it is when its time is over."""
        keys = self.app.state.settings.jwt_keys
        return issue_token(keys, read_token(keys, side.roles["admin"]["Authorization"].removeprefix("Bearer ")), -1)


@pytest.fixture
def place(postgres_url: str) -> Iterator[Place]:
    limits = {"SIGN_IN_LIMIT_PER_MINUTE": "0", "RATE_LIMIT_PER_SECOND": "0"}
    with serving(production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1") | limits) as (client, app):

        def send(method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
            client.cookies.clear()
            if isinstance(body, str):
                return client.request(method, path, headers=dict(headers), content=body)
            return client.request(method, path, headers=dict(headers), json=body)

        yield Place(app, send, prepare(send, "ours"), prepare(send, "theirs"))


def wrong(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.verdict != OK]


def test_sec007_no_route_shows_or_changes_another_organisation_s(place: Place) -> None:
    rows = list(attack(place.send, place.ours, place.theirs, lambda: place.dump(place.theirs), place.expired(place.theirs)))
    rows += attack(place.send, place.theirs, place.ours, lambda: place.dump(place.ours), place.expired(place.ours))
    assert wrong(rows) == []
    asked_by = Counter(row.role for row in rows)
    assert set(asked_by) == {
        "anonymous", "expired token", "inactive", "ours volunteer", "ours admin", "theirs volunteer", "theirs admin",
    }  # fmt: skip
    assert all(number >= len(CASES) for number in asked_by.values())


def test_sec007_the_same_requests_reach_one_s_own(place: Place) -> None:
    """So that an answer of "not found" above is not for another reason."""
    assert wrong(list(own(place.send, place.ours))) == []


def test_the_matrix_finds_what_it_looks_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the condition on every statement, routes show and change what is not theirs, and the rows say so."""
    monkeypatch.setattr(tenancy, "_criteria", lambda org_id: ())
    monkeypatch.setattr(tenancy, "_visible", lambda key, value, session: True)
    monkeypatch.setattr("tests.app.tenant_matrix.CASES", [case for case in CASES if teams.router.prefix in case.route])
    found = wrong(list(attack(place.send, place.ours, place.theirs, lambda: place.dump(place.theirs))))
    verdicts = {row.verdict.partition(" (")[0] for row in found}
    assert any(verdict.startswith("shows marker") for verdict in verdicts)
    assert "their rows changed" in verdicts


def test_a_case_names_what_it_refers_to() -> None:
    case = Case("POST", "/x/{a}/{b}", {"c": "$c", "d": 1, "a": "$a"}, query={"e": "$e"})
    assert case.names == ["a", "b", "c", "e"]
