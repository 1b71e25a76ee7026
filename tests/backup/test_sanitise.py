"""What is personal is taken out of a restored database, by a rule for every column; the app works on what is left."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import bcrypt
import psycopg2
import pytest
from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, String

from app.models import Base
from app.models.base import JSONText
from app.personal_data import RULES
from backup import sanitise, staging_copy
from backup.exit_codes import Failed, Restore
from backup.scratch import Scratch
from backup.server import Done, Server
from lab.client import ROOT
from tests.app.harness import PASSWORD, Organization, Postgres, production, run_alembic, running_postgres, serving

pytestmark = pytest.mark.slow

STAGING_PASSWORD = "for staging, " + "by everybody"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    made = postgres.create(f"copy_{abs(hash(request.node.name)) % 10**8}")
    assert run_alembic(made, "upgrade", "head").returncode == 0
    return made


def test_ec4_every_column_of_the_schema_has_a_rule_and_every_rule_a_column() -> None:
    schema = {table.name: frozenset(column.name for column in table.columns) for table in Base.metadata.tables.values()}
    schema["alembic_version"] = frozenset({"version_num"})
    assert set(RULES) == set(schema)
    assert sanitise.unclassified(RULES, schema) == [], "say in app/personal_data.py what becomes of it"
    for table, rule in RULES.items():
        if not isinstance(rule, str):
            assert set(rule) == schema[table], table


def test_ec4_the_image_says_its_rules_as_json() -> None:
    done = subprocess.run([sys.executable, "-m", "app.personal_data"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == RULES


def test_ec4_a_column_without_a_rule_is_named() -> None:
    columns = {"people": frozenset({"id", "shoe_size"}), "pets": frozenset({"name"}), "audit_logs": frozenset({"anything"})}
    assert sanitise.unclassified(RULES, columns) == ["people.shoe_size", "pets.name"]


@pytest.mark.parametrize(
    "rules",
    [{"t": "most"}, {"t": {"c": "kept"}}, {"t": {"c": "text twice"}}, {"t": {"c": "json it's"}}],
    ids=["a table's", "a word", "a word too many", "a key"],
)
def test_ec4_what_is_no_rule_is_refused(rules: sanitise.Rules) -> None:
    with pytest.raises(ValueError, match=r"rule|keys"):
        sanitise.statements(rules, {"t": frozenset({"c"})}, "salt")


def test_ec4_what_lies_outside_schema_public_is_named(url: str) -> None:
    """A table that a repair brought back is dumped like any other, and no rule speaks of it."""
    assert rows(url, sanitise.ELSEWHERE) == []
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("create schema repair; create table repair.people as table public.people")
        cursor.execute("create materialized view repair.names as select name from public.people")
        cursor.execute("create temporary table passing (n int)")
    connection.close()
    assert rows(url, sanitise.ELSEWHERE) == [("repair.names",), ("repair.people",)]
    instance = SimpleNamespace(psql=lambda query, _: "repair.people" if query == sanitise.ELSEWHERE else "")
    with pytest.raises(Failed, match=r"repair\.people: no rules for personal data outside schema public") as caught:
        staging_copy.clean(cast(Scratch, instance), "signupflow", RULES, "", lambda _: None)
    assert caught.value.code is Restore.CONFIGURATION


def cleaned(url: str, password_hash: str = "") -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(sanitise.COLUMNS)
        columns = sanitise.parse_columns("\n".join(row[0] for row in cursor.fetchall()))
        for statement in sanitise.statements(RULES, columns, "a salt", password_hash):
            cursor.execute(statement)
        cursor.execute(sanitise.RECHECK)
    connection.close()


def text_of(url: str) -> str:
    """Every row of every table."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(sanitise.COLUMNS)
        found = []
        for table in sanitise.parse_columns("\n".join(row[0] for row in cursor.fetchall())):
            cursor.execute(f'select row_to_json(t)::text from "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    connection.close()
    return "\n".join(found)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        found: list[tuple[object, ...]] = cursor.fetchall()
    connection.close()
    return found


def test_ec4_the_app_works_for_two_tenants_and_nobody_is_known(url: str) -> None:
    environment = production(DATABASE_URL=url, ALLOWED_HOSTS="127.0.0.1") | {"SIGN_IN_LIMIT_PER_MINUTE": "0"}
    with serving(environment) as (client, _):
        made = [Organization(client, name) for name in ("Grace Church", "Nippon Taiiku")]
        for organization in made:
            organization.volunteer()
            organization.event()
    personal = [str(value) for row in rows(url, "select id, email, password_hash from people") for value in row if value]
    assert len(personal) == 12
    control = text_of(url)
    assert all(value in control for value in personal), "the search finds what is there"
    cleaned(url, bcrypt.hashpw(STAGING_PASSWORD.encode(), bcrypt.gensalt(4)).decode())
    left = text_of(url)
    assert [value for value in personal if value in left] == []
    assert not [name for name in ("Grace Church", "Nippon Taiiku", "Vera") if name in left]
    people = rows(url, "select org_id, email from people where roles like '%admin%' order by org_id")
    assert {str(email).partition("@")[2] for _, email in people} == {sanitise.DOMAIN}
    with serving(environment) as (client, _):
        seen = {}
        for org, email in people:
            credentials = {"organization": org, "email": email, "password": STAGING_PASSWORD}
            answer = client.post("/api/v1/sessions", json=credentials)
            assert answer.status_code == 201, answer.text
            token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            seen[org] = {item["id"] for item in client.get("/api/v1/events", headers=token).json()["items"]}
            old = client.post("/api/v1/sessions", json={**credentials, "password": PASSWORD})
            assert old.status_code == 401, "the passwords of before are none"
    assert [len(events) for events in seen.values()] == [1, 1]
    assert not set.intersection(*seen.values()), "tenants stay apart"


def test_ec4_the_same_value_becomes_the_same_and_what_is_empty_stays_so(url: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            'insert into organizations (id, name, config) values (\'o\', \'Org\', \'{"roles": ["usher"], "mail": "ann@x.org"}\')'
        )
        for person, name, extra in (("p1", "Ann", "[1]"), ("p2", "Ann", "no json"), ("p3", "Bob", "{}")):
            cursor.execute(
                "insert into people (id, org_id, name, timezone, language, status, is_sample, extra_data, invited_by)"
                " values (%s, 'o', %s, 'UTC', 'en', 'active', false, %s, %s)",
                (person, name, extra, None if person == "p1" else "p1"),
            )
        cursor.execute("insert into audit_logs (id, action, timestamp, status) values ('a', 'x', now(), 'ok')")
    connection.close()
    cleaned(url)
    people = rows(url, "select name, email, password_hash, extra_data, invited_by, id from people order by created_at, name")
    assert len({name for name, *_ in people}) == 2, "two of three had the same name"
    assert {email for _, email, *_ in people} == {None}
    assert sorted(str(extra) for _, _, _, extra, _, _ in people) == ["[]", "{}", "{}"]
    inviting = {invited for *_, invited, _ in people} - {None}
    assert len(inviting) == 1
    assert inviting <= {person for *_, person in people}, "it points to the same person"
    assert rows(url, "select count(*) from audit_logs") == [(0,)]
    ((config,),) = rows(url, "select config from organizations")
    assert json.loads(str(config)) == {"roles": ["usher"]}


def test_c13_what_replaces_values_is_in_no_process_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The salt would undo the copy, and the hash is everybody's password there: files, not arguments."""
    ran: list[str] = []
    put: list[str] = []

    class Inside:
        """The scratch instance's container: what is run in it, and the files that it is given."""

        def check(self, argv: Sequence[str], *_: object, **__: object) -> str:
            ran.extend(argv)
            return "people id\npeople password_hash\n" if argv[-1] == sanitise.COLUMNS else ""

        def run(self, argv: Sequence[str], *_: object, **__: object) -> Done:
            ran.extend(argv)
            return Done(0, "$2b$12$MARKERHASH\n", "")

        def put(self, path: str, content: bytes) -> None:
            put.append(content.decode())

    monkeypatch.setattr(secrets, "token_hex", lambda _: "MARKERSALT")
    instance = object.__new__(Scratch)
    instance.server = cast(Server, Inside())
    rules: sanitise.Rules = {"people": {"id": "person", "password_hash": "password"}}
    staging_copy.clean(instance, "signupflow", rules, "a password", lambda _: None)
    assert any("MARKERSALT" in text and "MARKERHASH" in text for text in put), "the control: it is done by them"
    assert not [word for word in ran if "MARKER" in word or "a password" in word]


CANARY, NUMBER = "Zoë Canary, call +1 555 0199", 15550199


def planted(column: Column[Any]) -> object:
    """A value that speaks of a person, in every column that can hold text; one row of each table refers to the others'."""
    if isinstance(column.type, JSONText | JSON):
        return json.dumps({CANARY: [CANARY, NUMBER, {CANARY: CANARY}], "roles": [CANARY], "role_counts": {CANARY: NUMBER}})
    if isinstance(column.type, String):
        return CANARY[: column.type.length]
    values = {Boolean: False, Integer: 1, Float: 1.0, DateTime: "2026-01-01", Date: "2026-01-01", LargeBinary: b""}
    return next(value for kind, value in values.items() if isinstance(column.type, kind))


def speaks(text: str) -> bool:
    return "Zo" in text or "anary" in text or str(NUMBER) in text


def test_c7_a_canary_in_every_text_and_json_column_of_every_table_is_in_no_copy(url: str) -> None:
    """As an import may bring it: what was typed into a role, a key of a JSON object, an id."""
    texts = {}
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        for table in Base.metadata.tables.values():
            row = {column.name: planted(column) for column in table.columns}
            texts[table.name] = [column.name for column in table.columns if isinstance(column.type, JSONText | JSON | String)]
            names = ", ".join(f'"{name}"' for name in row)
            cursor.execute(f'insert into "{table.name}" ({names}) values ({", ".join(["%s"] * len(row))})', [*row.values()])
    connection.close()
    assert len(texts) == 34

    def found() -> list[str]:
        """Columns that speak of the person."""
        asked = [(table, name) for table, names in texts.items() for name in names]
        return [
            f"{table}.{name}"
            for table, name in asked
            for (value,) in rows(url, f'select "{name}"::text from "{table}"')
            if speaks(str(value))
        ]

    with_names = [f"{table}.{name}" for table, names in texts.items() for name in names]
    assert found() == with_names, "the control: the search finds every one"
    cleaned(url)
    assert found() == []
    assert not speaks(text_of(url))


def test_c7_what_the_application_writes_is_left_as_it_is(url: str) -> None:
    """Words, zones, ids and rules of repetition: the copy is to be worked with."""
    kept = {
        "word": ["active", "pt-BR", "Europe/Berlin", "role_counts", "2026-01", "", "head_usher"],
        "id": ["grace-church-1a2b3c4d", "event_0198c0ffee", "17"],
        "rrule": ["FREQ=WEEKLY;BYDAY=SU,MO;UNTIL=20270101T000000Z", ""],
    }
    replaced = {
        "word": ["head usher", "a@x.org", "+15550199", "5550199000", "Zoë"],
        "id": ["ann@x.org", "Ann Smith", "+1555"],
        "rrule": ["call Ann", "FREQ=WEEKLY;X=call Ann"],
    }
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        for rule, well in kept.items():
            for value in well + replaced[rule]:
                cursor.execute(f"select {sanitise._value('c', rule, 'salt', '')} from (select %s::text as c) as t", (value,))
                ((made,),) = cursor.fetchall()
                assert (made == value) is (value in well), (rule, value, made)
    connection.close()
