"""Teams, availability, assignments and their states, places by role."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import get_args

import httpx
import pytest
from sqlalchemy import create_engine, text

from app import security
from app.signups import State
from tests.app.harness import PASSWORD, REAL_FILE, Organization, development, production, serving

ALLOWED = {
    ("pending", "confirmed"),
    ("pending", "declined"),
    ("confirmed", "declined"),
    ("confirmed", "swap_requested"),
    ("swap_requested", "confirmed"),
    ("swap_requested", "declined"),
    ("declined", "confirmed"),
    ("declined", "pending"),
}
TIMES = {"start_time": "2027-01-03T09:00:00Z", "end_time": "2027-01-03T11:00:00Z"}


@pytest.fixture
def organization(client: httpx.Client) -> Organization:
    return Organization(client)


def me(organization: Organization, headers: dict[str, str]) -> str:
    """The id of whoever signs in with `headers`: the person whose availability they may read."""
    people = organization.client.get("/api/v1/people", headers=organization.admin).json()["items"]
    return next(
        str(person["id"])
        for person in people
        if organization.client.get(f"/api/v1/people/{person['id']}/availability", headers=headers).status_code == 200
    )


def event_with(organization: Organization, **role_counts: int) -> str:
    body = {"type": "service", **TIMES, "role_counts": role_counts}
    made = organization.client.post("/api/v1/events", headers=organization.admin, json=body)
    assert made.status_code == 201, made.text
    assert made.json()["role_counts"] == role_counts
    return str(made.json()["id"])


def test_teams(client: httpx.Client, organization: Organization) -> None:
    admin, vera = organization.admin, organization.volunteer()
    vera_id, event = me(organization, vera), organization.event()
    team = client.post("/api/v1/teams", headers=admin, json={"name": "Ushers 🌟", "description": "Doors"}).json()
    path, at_event = f"/api/v1/teams/{team['id']}", f"/api/v1/events/{event}/teams"
    assert client.post(f"{path}/members", headers=admin, json={"person_id": vera_id}).status_code == 201
    assert client.post(f"{path}/members", headers=admin, json={"person_id": vera_id}).status_code == 409
    assert client.post(f"{path}/members", headers=admin, json={"person_id": "nobody"}).status_code == 404
    assert [p["id"] for p in client.get(f"{path}/members", headers=vera).json()["items"]] == [vera_id]
    assert client.get(f"/api/v1/teams?person_id={vera_id}", headers=vera).json()["total"] == 1
    assert client.get(f"/api/v1/teams?person_id={organization.admin_id}", headers=vera).json()["total"] == 0
    assert client.patch(path, headers=admin, json={"description": None}).json()["description"] is None
    assert client.get(path, headers=vera).json()["name"] == "Ushers 🌟"

    assert client.post(at_event, headers=admin, json={"team_id": team["id"]}).status_code == 201
    assert client.post(at_event, headers=admin, json={"team_id": team["id"]}).status_code == 409
    assert client.get(at_event, headers=vera).json()["items"] == [client.get(path, headers=vera).json()]
    assert client.delete(f"{at_event}/{team['id']}", headers=admin).status_code == 204
    assert client.delete(f"{at_event}/{team['id']}", headers=admin).status_code == 404
    client.post(at_event, headers=admin, json={"team_id": team["id"]})

    for method, refused, body in [
        ("POST", "/api/v1/teams", {"name": "x"}),
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/members", {"person_id": vera_id}),
        ("DELETE", f"{path}/members/{vera_id}", None),
        ("POST", at_event, {"team_id": team["id"]}),
        ("DELETE", f"{at_event}/{team['id']}", None),
    ]:
        assert client.request(method, refused, headers=vera, json=body).status_code == 403, (method, refused)

    assert client.delete(f"{path}/members/{vera_id}", headers=admin).status_code == 204
    assert client.delete(f"{path}/members/{vera_id}", headers=admin).status_code == 404
    client.post(f"{path}/members", headers=admin, json={"person_id": vera_id})
    assert client.delete(path, headers=admin).status_code == 204
    assert client.get(path, headers=vera).status_code == 404
    assert client.get(at_event, headers=vera).json()["total"] == 0


def test_availability(client: httpx.Client, organization: Organization) -> None:
    vera, vito = organization.volunteer(), organization.volunteer()
    vera_id = me(organization, vera)
    path = f"/api/v1/people/{vera_id}/availability"
    assert client.get(path, headers=vera).json() == {"person_id": vera_id, "rrule": None, "updated_at": None}
    assert client.put(path, headers=vera, json={"rrule": "FREQ=WEEKLY;BYDAY=SU,WE"}).json()["rrule"] == "FREQ=WEEKLY;BYDAY=SU,WE"
    assert client.put(path, headers=organization.admin, json={"rrule": None}).json()["rrule"] is None
    for bad in ("BYDAY=SU", "FREQ=NEVER", "FREQ=DAILY;", "FREQ=DAILY\nX", ""):
        assert client.put(path, headers=vera, json={"rrule": bad}).status_code == 422

    exception = client.post(f"{path}/exceptions", headers=vera, json={"date": "2027-01-01"})
    assert exception.status_code == 201
    assert client.post(f"{path}/exceptions", headers=vera, json={"date": "2027-01-01"}).status_code == 409
    assert client.get(f"{path}/exceptions", headers=vera).json()["items"] == [exception.json()]
    assert client.delete(f"{path}/exceptions/{exception.json()['id']}", headers=vera).status_code == 204
    assert client.delete(f"{path}/exceptions/{exception.json()['id']}", headers=vera).status_code == 404

    one_day = {"start_date": "2027-02-01", "end_date": "2027-02-01", "reason": "休假 🏖️"}
    vacation = client.post(f"{path}/vacations", headers=organization.admin, json=one_day)
    assert vacation.status_code == 201
    assert client.post(f"{path}/vacations", headers=vera, json=one_day | {"end_date": "2027-01-31"}).status_code == 422
    assert client.get(f"{path}/vacations", headers=vera).json()["items"] == [vacation.json()]
    assert client.delete(f"{path}/vacations/{vacation.json()['id']}", headers=vera).status_code == 204
    assert client.get(f"{path}/vacations", headers=vera).json()["total"] == 0

    for method, sub, body in [
        ("GET", "", None),
        ("PUT", "", {"rrule": None}),
        ("GET", "/exceptions", None),
        ("POST", "/exceptions", {"date": "2027-01-01"}),
        ("DELETE", "/exceptions/1", None),
        ("GET", "/vacations", None),
        ("POST", "/vacations", one_day),
        ("DELETE", "/vacations/1", None),
    ]:
        assert client.request(method, path + sub, headers=vito, json=body).status_code == 403, (method, sub)


@pytest.mark.parametrize(("before", "after"), list(product(get_args(State), get_args(State))))
def test_states_follow_the_table(client: httpx.Client, organization: Organization, before: State, after: State) -> None:
    vera = organization.volunteer()
    wanted = {"event_id": organization.event(), "person_id": me(organization, vera)}
    route = {
        "pending": ["pending"],
        "confirmed": ["confirmed"],
        "declined": ["pending", "declined"],
        "swap_requested": ["confirmed", "swap_requested"],
    }[before]
    made = client.post("/api/v1/assignments", headers=organization.admin, json=wanted | {"status": route[0]})
    path = f"/api/v1/assignments/{made.json()['id']}"
    for state in route[1:]:
        assert client.patch(path, headers=organization.admin, json={"status": state}).status_code == 200
    answer = client.patch(path, headers=organization.admin, json={"status": after})
    if (before, after) in ALLOWED:
        assert (answer.status_code, answer.json()["status"]) == (200, after)
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "state_refused")
        assert client.get(path, headers=vera).json()["status"] == before


def test_an_assignment_is_asked_and_answered(client: httpx.Client, organization: Organization) -> None:
    vera, vito = organization.volunteer(), organization.volunteer()
    wanted = {"event_id": organization.event(), "person_id": me(organization, vera), "role": "usher"}
    assert client.post("/api/v1/assignments", headers=vera, json=wanted).status_code == 403
    made = client.post("/api/v1/assignments", headers=organization.admin, json=wanted)
    assert (made.status_code, made.json()["status"]) == (201, "pending")
    assert client.post("/api/v1/assignments", headers=organization.admin, json=wanted).status_code == 409
    for unknown in ({"event_id": "nope"}, {"person_id": "nope"}):
        assert client.post("/api/v1/assignments", headers=organization.admin, json=wanted | unknown).status_code == 404
    path = f"/api/v1/assignments/{made.json()['id']}"
    for method, body in (("GET", None), ("PATCH", {"status": "confirmed"}), ("DELETE", None)):
        assert client.request(method, path, headers=vito, json=body).status_code == 403
    declined = client.patch(path, headers=vera, json={"status": "declined", "decline_reason": "不能来 😢"})
    assert declined.json()["decline_reason"] == "不能来 😢"
    assert client.patch(path, headers=vera, json={"status": "pending"}).status_code == 403
    assert client.patch(path, headers=vera, json={"status": "confirmed", "decline_reason": "x"}).status_code == 422
    assert client.patch(path, headers=vera, json={"status": "confirmed"}).json()["decline_reason"] is None
    assert client.get("/api/v1/assignments?status=confirmed", headers=vera).json()["total"] == 1
    assert client.get("/api/v1/assignments?status=declined", headers=vera).json()["total"] == 0
    assert client.get("/api/v1/assignments?event_id=nope", headers=vera).json()["total"] == 0
    assert client.get(f"/api/v1/assignments?person_id={wanted['person_id']}", headers=vito).status_code == 403
    assert client.get(f"/api/v1/assignments?person_id={wanted['person_id']}", headers=organization.admin).json()["total"] == 1
    assert client.get("/api/v1/assignments?person_id=nope", headers=organization.admin).status_code == 404
    # The reason for declining is not in what everybody sees.
    assert "decline_reason" not in client.get(f"/api/v1/events/{wanted['event_id']}/sign-ups", headers=vito).text
    assert client.delete(path, headers=vera).status_code == 204
    assert client.get(path, headers=vera).status_code == 404


def test_somebody_who_left_is_not_assigned(client: httpx.Client, organization: Organization) -> None:
    vera_id = me(organization, organization.volunteer())
    client.patch(f"/api/v1/people/{vera_id}", headers=organization.admin, json={"status": "inactive"})
    wanted = {"event_id": organization.event(), "person_id": vera_id}
    assert client.post("/api/v1/assignments", headers=organization.admin, json=wanted).status_code == 409


def test_a_full_role_is_full_until_somebody_declines(client: httpx.Client, organization: Organization) -> None:
    vera, vito = organization.volunteer(), organization.volunteer()
    event = event_with(organization, usher=1, 音响=0)
    path = f"/api/v1/events/{event}/sign-ups"
    mine = client.post(path, headers=vera, json={"role": "usher"}).json()["id"]
    for role in ("usher", "音响"):
        refused = client.post(path, headers=vito, json={"role": role})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "full")
    assert client.patch(f"/api/v1/assignments/{mine}", headers=vera, json={"status": "declined"}).status_code == 200
    assert client.post(path, headers=vito, json={"role": "usher"}).status_code == 201
    again = client.patch(f"/api/v1/assignments/{mine}", headers=vera, json={"status": "confirmed"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "full")
    assert client.post(path, headers=organization.admin, json={"role": "a role nobody counted"}).status_code == 201
    changed = client.patch(
        f"/api/v1/events/{event}", headers=organization.admin, json={"role_counts": {"usher": 2}, "title": "x"}
    )
    assert (changed.json()["role_counts"], changed.json()["title"]) == ({"usher": 2}, "x")
    assert client.patch(f"/api/v1/assignments/{mine}", headers=vera, json={"status": "confirmed"}).status_code == 200


def test_many_at_once_never_take_more_than_the_places(postgres_url: str) -> None:
    with serving(production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1")) as (client, _):
        organization = Organization(client)
        path = f"/api/v1/events/{event_with(organization, usher=3)}/sign-ups"
        volunteers = [organization.volunteer() for _ in range(10)]
        with ThreadPoolExecutor(10) as threads:
            statuses = list(
                threads.map(lambda who: client.post(path, headers=who, json={"role": "usher"}).status_code, volunteers)
            )
        assert sorted(statuses) == [201] * 3 + [409] * 7
        assert client.get(path, headers=organization.admin).json()["total"] == 3


def test_events_and_people_are_filtered(client: httpx.Client, organization: Organization) -> None:
    for day in ("01", "02", "03"):
        body = {"type": f"t{day}", "start_time": f"2027-01-{day}T09:00:00Z", "end_time": f"2027-01-{day}T10:00:00Z"}
        client.post("/api/v1/events", headers=organization.admin, json=body)

    def types(**query: str) -> list[str]:
        answer = client.get("/api/v1/events", headers=organization.admin, params=query)
        assert answer.status_code == 200, answer.text
        return [event["type"] for event in answer.json()["items"]]

    assert types(**{"from": "2027-01-02T09:00:00Z"}) == ["t02", "t03"]
    assert types(to="2027-01-02T10:00:00+01:00") == ["t01"]
    assert types(type="t03") == ["t03"]
    for bad in ({"from": "2027-01-02"}, {"from": "0001-01-01T00:00:00+14:00"}, {"type": ""}, {"type": "\x00"}):
        assert client.get("/api/v1/events", headers=organization.admin, params=bad).status_code == 422
    vera_id = me(organization, organization.volunteer())
    client.patch(f"/api/v1/people/{vera_id}", headers=organization.admin, json={"status": "inactive"})
    left = client.get("/api/v1/people?status=inactive", headers=organization.admin).json()
    assert [person["id"] for person in left["items"]] == [vera_id]
    assert client.get("/api/v1/people?status=gone", headers=organization.admin).status_code == 422


@pytest.mark.skipif(not REAL_FILE.exists(), reason="the existing application's file is not on this machine")
def test_us2_1_every_list_shows_the_existing_rows(tmp_path: Path) -> None:
    copy = Path(shutil.copy(REAL_FILE, tmp_path / "real.sqlite"))
    copy.chmod(0o600)
    engine = create_engine(f"sqlite:///{copy}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = security.hash_password(PASSWORD)
        admins = connection.execute(text("""SELECT id, org_id, email FROM people WHERE roles LIKE '%"admin"%'""")).all()
        connection.execute(text("UPDATE people SET password_hash = :h"), {"h": known})

        def count(sql: str, **values: str) -> int:
            return int(connection.execute(text(sql), values).scalar_one())

        with serving(development(f"sqlite:///{copy}")) as (client, _):
            for _, org, email in admins[:3]:
                wanted = {"organization": org, "email": email, "password": PASSWORD}
                token = client.post("/api/v1/sessions", json=wanted).json()["access_token"]

                def items(path: str, token: str = token) -> list[dict[str, str]]:
                    answer = client.get(f"{path}?limit=200", headers={"Authorization": f"Bearer {token}"})
                    assert answer.status_code == 200, answer.text
                    return list(answer.json()["items"])

                assert len(items("/api/v1/teams")) == count("SELECT count(*) FROM teams WHERE org_id = :o", o=org)
                assert len(items("/api/v1/invitations")) == count("SELECT count(*) FROM invitations WHERE org_id = :o", o=org)
                members = sum(len(items(f"/api/v1/teams/{team['id']}/members")) for team in items("/api/v1/teams"))
                assert members == count(
                    "SELECT count(DISTINCT team_id || person_id) FROM team_members JOIN teams t ON t.id = team_id "
                    "WHERE t.org_id = :o",
                    o=org,
                )
                for person in items("/api/v1/people"):
                    base = f"/api/v1/people/{person['id']}/availability"
                    vacations = count(
                        "SELECT count(*) FROM vacation_periods v JOIN availability a ON a.id = availability_id "
                        "WHERE person_id = :p",
                        p=person["id"],
                    )
                    assert len(items(f"{base}/vacations")) == vacations
    engine.dispose()
