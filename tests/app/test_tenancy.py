"""No organisation sees or touches another's rows: by the session, whatever a route forgets; and through the API."""

import datetime as dt
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import (
    Column,
    Executable,
    Integer,
    MetaData,
    Table,
    create_engine,
    delete,
    func,
    insert,
    inspect,
    literal_column,
    select,
    text,
    true,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.orm import aliased

from app.models import Assignment, Availability, Base, Event, Organization, Person, VacationPeriod
from app.tenancy import TENANCY, TenancyError, TenantSession, unclassified
from tests.app.harness import Organization as SignedUp

START = dt.datetime(2027, 1, 1, 9)


def test_every_table_is_classified() -> None:
    assert unclassified(Base.metadata) == set()


def test_an_unclassified_table_is_found() -> None:
    metadata = MetaData()
    for table in Base.metadata.tables.values():
        table.to_metadata(metadata)
    Table("new_table", metadata, Column("id", Integer, primary_key=True))
    assert unclassified(metadata) == {"new_table"}


def test_every_rule_names_a_column_of_its_table() -> None:
    for name, rule in TENANCY.items():
        column = str(getattr(rule, "name", None) or getattr(rule, "foreign_key", ""))
        found = Base.metadata.tables[name].c[column]
        assert name == "organizations" or found.foreign_keys or name == "audit_logs"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """Two organisations, a and b, each with a person, an event, an assignment and a vacation (two joins away)."""
    engine = create_engine(sqlite_url)
    for org in "ab":
        with TenantSession(engine, org) as session:
            session.add(Organization(id=org, name=org))
            session.flush()
            session.add(Person(id=f"p{org}", name=org))
            session.add(Event(id=f"e{org}", type="x", start_time=START, end_time=START))
            session.flush()
            session.add(Assignment(event_id=f"e{org}", person_id=f"p{org}"))
            availability = Availability(person_id=f"p{org}")
            session.add(availability)
            session.flush()
            session.add(VacationPeriod(availability_id=availability.id, start_date=START.date(), end_date=START.date()))
            session.commit()
    yield engine
    engine.dispose()


@pytest.mark.parametrize("entity", [Organization, Person, Event, Assignment, Availability, VacationPeriod])
def test_reads_see_one_organisation(engine: Engine, entity: type[Base]) -> None:
    with TenantSession(engine, "a") as session:
        assert len(session.scalars(select(entity)).all()) == 1
        assert session.scalar(select(func.count()).select_from(entity)) == 1
        assert len(session.scalars(select(aliased(entity))).all()) == 1


@pytest.mark.parametrize(
    ("entity", "key"), [(Person, "pb"), (Event, "eb"), (Assignment, 2), (Organization, "b"), (VacationPeriod, 2)]
)
def test_by_key_another_organisation_s_row_is_not_there(engine: Engine, entity: type[Base], key: object) -> None:
    with TenantSession(engine, "a") as session:
        assert session.get(entity, key) is None
    with TenantSession(engine, "b") as session:
        assert session.get(entity, key) is not None


def test_joins_and_subqueries_are_kept_inside(engine: Engine) -> None:
    with TenantSession(engine, "a") as session:
        assert session.execute(select(Event.id, Person.id).join_from(Event, Person, true())).all() == [("ea", "pa")]
        assert session.scalars(select(Person.id).where(Person.id.in_(select(Assignment.person_id)))).all() == ["pa"]


def test_bulk_changes_are_kept_inside(engine: Engine) -> None:
    with TenantSession(engine, "a") as session:
        session.execute(update(Person).values(name="changed"), execution_options={"synchronize_session": False})
        session.execute(delete(Assignment), execution_options={"synchronize_session": False})
        session.commit()
    with TenantSession(engine, "b") as session:
        assert session.scalars(select(Person.name)).all() == ["b"]
        assert len(session.scalars(select(Assignment)).all()) == 1


@pytest.mark.parametrize(
    "statement", [text("SELECT * FROM people"), select(Base.metadata.tables["people"]), insert(Person).values(id="x", name="x")]
)
def test_what_cannot_be_scoped_is_refused(engine: Engine, statement: Executable) -> None:
    with TenantSession(engine, "a") as session, pytest.raises(TenancyError):
        session.execute(statement)


PEOPLE, ASSIGNMENTS = Base.metadata.tables["people"], Base.metadata.tables["assignments"]


@pytest.mark.parametrize(
    "statement",
    [
        select(Person.id).where(Person.id.in_(select(PEOPLE.c.id))),
        select(Event.id).join(PEOPLE, true()),
        select(Event.id, PEOPLE.c.name),
        select(Event.id).where(select(PEOPLE.c.id).exists()),
        select(Event.id, select(PEOPLE.c.name).limit(1).scalar_subquery()),
        select(Event.id).join(PEOPLE.alias(), true()),
        select(Person).from_statement(text("SELECT * FROM people")),
        select(Person).where(text("1 = 1 OR people.id = 'pb'")),
        select(Person.id, literal_column("(SELECT name FROM people WHERE id = 'pb')")),
        update(Event).values(type=select(PEOPLE.c.name).where(PEOPLE.c.id == "pb").scalar_subquery()),
        delete(Event).where(Event.id.in_(select(ASSIGNMENTS.c.event_id))),
    ],
    ids=str,
)
def test_unmapped_tables_and_text_inside_a_statement_are_refused(engine: Engine, statement: Executable) -> None:
    with TenantSession(engine, "a") as session, pytest.raises(TenancyError):
        session.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        update(Person).values(org_id="b"),
        update(Person).values({"org_id": "b"}),
        update(Person).ordered_values((Person.name, "x"), (Person.org_id, "b")),
        update(Assignment).values(event_id="eb"),
        update(Assignment).values({Assignment.person_id: "pb"}),
        update(Availability).values(person_id="pb"),
        update(Event).values(id="eb2"),
        update(Organization).values(id="b"),
    ],
    ids=str,
)
def test_a_bulk_update_cannot_move_rows(engine: Engine, statement: Executable) -> None:
    with TenantSession(engine, "a") as session, pytest.raises(TenancyError):
        session.execute(statement, execution_options={"synchronize_session": False})


def test_bulk_operations_by_key_are_refused(engine: Engine) -> None:
    with TenantSession(engine, "a") as session:
        for attempt in (
            lambda: session.execute(update(Person), [{"id": "pb", "name": "taken over"}]),
            lambda: session.bulk_update_mappings(inspect(Person), [{"id": "pb", "name": "taken over"}]),
            lambda: session.bulk_insert_mappings(inspect(Person), [{"id": "px", "org_id": "b", "name": "x"}]),
            lambda: session.bulk_save_objects([Person(id="px", org_id="b", name="x")]),
        ):
            with pytest.raises(TenancyError):
                attempt()


def test_what_a_mapped_statement_writes_from_another_table_is_the_organisation_s(engine: Engine) -> None:
    """A mapped subquery in an UPDATE's values reads its own organisation only."""
    with TenantSession(engine, "a") as session:
        other = select(Person.name).where(Person.id == "pb").scalar_subquery()
        session.execute(
            update(Event).values(type=func.coalesce(other, "nothing")), execution_options={"synchronize_session": False}
        )
        assert session.scalars(select(Event.type)).all() == ["nothing"]


@pytest.mark.parametrize(
    "row",
    [
        Person(id="x", org_id="b", name="x"),
        Assignment(event_id="ea", person_id="pb"),
        Assignment(event_id="eb", person_id="pa"),
        Availability(person_id="pb"),
        VacationPeriod(availability_id=2, start_date=START.date(), end_date=START.date()),
    ],
)
def test_rows_that_reach_into_another_organisation_are_refused(engine: Engine, row: Base) -> None:
    with TenantSession(engine, "a") as session:
        session.add(row)
        with pytest.raises(TenancyError):
            session.flush()
        session.rollback()


def test_a_row_cannot_move_to_another_organisation(engine: Engine) -> None:
    with TenantSession(engine, "a") as session:
        session.get_one(Person, "pa").org_id = "b"
        with pytest.raises(TenancyError):
            session.flush()
        session.rollback()
        session.get_one(Assignment, 1).event_id = "eb"
        with pytest.raises(TenancyError):
            session.flush()
        session.rollback()


def test_sec007_through_the_api_another_organisation_does_not_exist(client: httpx.Client) -> None:
    ours, theirs = SignedUp(client, "Ours"), SignedUp(client, "Theirs")
    event = theirs.event()
    signed_up = client.post(f"/api/v1/events/{event}/sign-ups", headers=theirs.admin, json={}).json()["id"]
    change = {"name": "taken over"}
    attempts = [
        ("GET", f"/api/v1/organizations/{theirs.id}", None),
        ("PATCH", f"/api/v1/organizations/{theirs.id}", change),
        ("GET", f"/api/v1/people/{theirs.admin_id}", None),
        ("PATCH", f"/api/v1/people/{theirs.admin_id}", change),
        ("GET", f"/api/v1/events/{event}", None),
        ("PATCH", f"/api/v1/events/{event}", {"title": "x"}),
        ("DELETE", f"/api/v1/events/{event}", None),
        ("GET", f"/api/v1/events/{event}/sign-ups", None),
        ("POST", f"/api/v1/events/{event}/sign-ups", {}),
        ("DELETE", f"/api/v1/events/{event}/sign-ups/{signed_up}", None),
    ]
    for method, path, body in attempts:
        answer = client.request(method, path, headers=ours.admin, json=body)
        unknown = client.request(method, path.replace(theirs.id, "nope").replace(theirs.admin_id, "nope").replace(event, "nope"),
                                 headers=ours.admin, json=body)  # fmt: skip
        assert answer.status_code == unknown.status_code == 404, (method, path)
        assert answer.json()["error"]["message"] == unknown.json()["error"]["message"]
        assert theirs.id not in answer.text
    for path in ("/api/v1/people", "/api/v1/events"):
        answer = client.get(path, headers=ours.admin)
        assert theirs.admin_id not in answer.text
        assert event not in answer.text
    assert client.get(f"/api/v1/events/{event}/sign-ups", headers=theirs.admin).json()["total"] == 1
    # The same address in another organisation does not open this one.
    wrong = {"organization": theirs.id, "email": ours.email, "password": "correct horse battery"}
    assert client.post("/api/v1/sessions", json=wrong).status_code == 401
