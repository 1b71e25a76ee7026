"""Invitations: the token is shown once, opens once, and says nothing when it does not open."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, select, text, update

from app import invitations
from app.models import Invitation
from tests.app.harness import PASSWORD, Organization, development, production, serving


@pytest.fixture
def organization(client: httpx.Client) -> Organization:
    return Organization(client)


def invite(organization: Organization, email: str = "new@x.org", **more: Any) -> dict[str, Any]:
    made = organization.client.post("/api/v1/invitations", headers=organization.admin, json={"email": email, **more})
    assert made.status_code == 201, made.text
    return dict(made.json())


def accept(organization: Organization, token: str, /, **more: str) -> httpx.Response:
    body = {"organization": organization.id, "token": token, "name": "Nia", "password": PASSWORD, **more}
    return organization.client.post("/api/v1/invitations/accept", json=body)


def test_somebody_invited_gets_in(client: httpx.Client, organization: Organization) -> None:
    made = invite(organization, roles=["usher", "greeter"])
    left = dt.datetime.fromisoformat(made["expires_at"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=6, hours=23) < left <= dt.timedelta(days=7)
    accepted = accept(organization, made["token"])
    assert accepted.status_code == 201
    assert accepted.json() | {"email": "new@x.org", "roles": ["usher", "greeter"], "name": "Nia"} == accepted.json()
    assert client.get("/api/v1/people", headers=organization.sign_in("new@x.org")).json()["total"] == 2
    (listed,) = client.get("/api/v1/invitations?status=accepted", headers=organization.admin).json()["items"]
    assert listed["accepted_at"]


def test_sec007_only_administrators_invite(client: httpx.Client, organization: Organization) -> None:
    volunteer, made = organization.volunteer(), invite(organization)
    for method, path in (
        ("GET", "/api/v1/invitations"),
        ("POST", "/api/v1/invitations"),
        ("DELETE", f"/api/v1/invitations/{made['id']}"),
    ):
        body = {"email": "y@x.org"} if method == "POST" else None
        assert client.request(method, path, headers=volunteer, json=body).status_code == 403


def test_sec001_a_token_is_random_shown_once_and_not_stored(client: httpx.Client, sqlite_url: str) -> None:
    organization = Organization(client)
    tokens = [invite(organization, f"{number}@x.org")["token"] for number in range(3)]
    assert len({*tokens}) == 3
    assert all(len(token) == 43 for token in tokens)  # 256 bits in base64
    shown = client.get("/api/v1/invitations", headers=organization.admin).text
    engine = create_engine(sqlite_url)
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT token FROM invitations")).scalars().all()
    engine.dispose()
    for token in tokens:
        assert token not in shown
        assert token not in str(kept)
    # What is stored opens nothing, so a copy of the database does not either.
    assert all(accept(organization, stored).status_code == 404 for stored in kept)


def test_tokens_that_do_not_open_all_get_one_answer(sqlite_url: str) -> None:
    with serving(development(sqlite_url, SIGN_IN_LIMIT_PER_MINUTE="0")) as (client, app):
        organization, other = Organization(client), Organization(client, "Other")
        used, revoked, expired, foreign = (invite(organization, f"{name}@x.org") for name in ("used", "rev", "exp", "for"))
        assert accept(organization, used["token"]).status_code == 201
        assert client.delete(f"/api/v1/invitations/{revoked['id']}", headers=organization.admin).status_code == 204
        run_out(app, organization, expired["id"])
        tokens = [used["token"], revoked["token"], expired["token"], "A" * 43, "x", "不", "sha256:" + "0" * 64]
        answers = [accept(organization, token) for token in tokens]
        answers += [accept(other, foreign["token"]), accept(organization, "A" * 43, organization="nobody")]
        said = {(answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["message"]) for answer in answers}
        assert [status for status, _, _ in said] == [404]
        assert {code for _, code, _ in said} == {"invalid_invitation"}
        statuses = {
            status: client.get(f"/api/v1/invitations?status={status}", headers=organization.admin).json()
            for status in ("pending", "accepted", "cancelled", "expired")
        }
        assert {status: [item["id"] for item in shown["items"]] for status, shown in statuses.items()} == {
            "pending": [foreign["id"]],
            "accepted": [used["id"]],
            "cancelled": [revoked["id"]],
            "expired": [expired["id"]],
        }
        assert {item["status"] for shown in statuses.values() for item in shown["items"]} == set(statuses)


def run_out(app: FastAPI, organization: Organization, invitation_id: str) -> None:
    with app.state.database.tenant(organization.id) as session:
        late = update(Invitation).where(Invitation.id == invitation_id).values(expires_at=invitations.expiry(0))
        session.execute(late, execution_options={"synchronize_session": False})
        session.commit()


def test_revoking(client: httpx.Client, organization: Organization) -> None:
    made = invite(organization)
    path = f"/api/v1/invitations/{made['id']}"
    for _ in range(2):
        assert client.delete(path, headers=organization.admin).status_code == 204
    assert client.delete("/api/v1/invitations/nope", headers=organization.admin).status_code == 404
    used = invite(organization)
    assert accept(organization, used["token"]).status_code == 201
    refused = client.delete(f"/api/v1/invitations/{used['id']}", headers=organization.admin)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "state_refused")


def test_an_address_is_invited_once(client: httpx.Client, organization: Organization) -> None:
    invite(organization, "Once@x.org")
    for email in ("once@x.org", organization.email.upper()):
        refused = client.post("/api/v1/invitations", headers=organization.admin, json={"email": email})
        assert refused.status_code == 409
    for bad in ({"email": "x"}, {"email": "x@y.org", "expires_in_days": 0}, {"email": "x@y.org", "expires_in_days": 91}):
        assert client.post("/api/v1/invitations", headers=organization.admin, json=bad).status_code == 422


def test_an_address_taken_in_the_meantime_is_not_given_twice(client: httpx.Client, organization: Organization) -> None:
    made = invite(organization)
    client.post("/api/v1/people", headers=organization.admin, json={"name": "x", "email": "NEW@x.org"})
    assert accept(organization, made["token"]).status_code == 409


def test_tokens_from_before_still_open(sqlite_url: str) -> None:
    with serving(development(sqlite_url)) as (client, app):
        organization = Organization(client)
        made, plain = invite(organization), "URskvv2-2I7oYRJqQcqj5IzUIkvgQiYVELlM9k9SrA0"
        with app.state.database.tenant(organization.id) as session:
            session.scalars(select(Invitation).where(Invitation.id == made["id"])).one().token = plain
            session.commit()
        assert accept(organization, plain).status_code == 201


def test_a_token_opens_once_for_many_at_the_same_moment(postgres_url: str) -> None:
    with serving(production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1")) as (client, _):
        organization = Organization(client)
        token = invite(organization)["token"]
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(lambda _: accept(organization, token).status_code, range(8)))
    assert sorted(statuses) == [201] + [404] * 7


def _second_admin(organization: Organization) -> tuple[str, dict[str, str]]:
    """Their id, and their sign-in."""
    wanted = {"name": "Bo", "email": "bo@x.org", "password": PASSWORD, "roles": ["admin"]}
    made = organization.client.post("/api/v1/people", headers=organization.admin, json=wanted)
    assert made.status_code == 201, made.text
    return str(made.json()["id"]), organization.sign_in("bo@x.org")


def _change(organization: Organization, person_id: str, **change: Any) -> None:
    path = f"/api/v1/people/{person_id}"
    assert organization.client.patch(path, headers=organization.admin, json=change).status_code == 200


def _invited_by(organization: Organization, headers: dict[str, str], **wanted: Any) -> dict[str, Any]:
    made = organization.client.post("/api/v1/invitations", headers=headers, json=wanted)
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_c11_what_a_deactivated_person_has_sent_opens_nothing(client: httpx.Client, organization: Organization) -> None:
    """Their invitations end with their access, and stay ended when they come back."""
    person, headers = _second_admin(organization)
    mine = _invited_by(organization, organization.admin, email="of-ann@x.org")
    theirs = _invited_by(organization, headers, email="other-address@x.org", roles=["admin"])
    _change(organization, person, status="inactive")
    assert accept(organization, theirs["token"]).status_code == 404
    _change(organization, person, status="active")
    assert accept(organization, theirs["token"]).status_code == 404
    (cancelled,) = client.get("/api/v1/invitations?status=cancelled", headers=organization.admin).json()["items"]
    assert cancelled["id"] == theirs["id"]
    assert accept(organization, mine["token"]).status_code == 201


def test_c11_an_invitation_to_a_deactivated_persons_address_opens_nothing(organization: Organization) -> None:
    made = invite(organization, "Vera@x.org", roles=["admin"])
    wanted = {"name": "Vera", "email": "vera@x.org", "roles": []}
    vera = organization.client.post("/api/v1/people", headers=organization.admin, json=wanted).json()["id"]
    _change(organization, vera, status="inactive")
    # The address is free for somebody else by now.
    _change(organization, vera, email="vera-gone@x.org")
    assert accept(organization, made["token"]).status_code == 404


def test_c11_who_is_no_administrator_any_more_has_made_none(organization: Organization) -> None:
    person, headers = _second_admin(organization)
    usher = _invited_by(organization, headers, email="u@x.org", roles=["usher"])
    admin = _invited_by(organization, headers, email="a@x.org", roles=["admin"])
    _change(organization, person, roles=["usher"])
    assert accept(organization, admin["token"]).status_code == 404
    assert accept(organization, usher["token"]).status_code == 201


def test_c11_an_invitation_is_judged_by_who_sent_it_whatever_became_of_its_row(sqlite_url: str) -> None:
    """One that was written while its sender was deactivated, or by a version that left it pending."""
    with serving(development(sqlite_url)) as (client, app):
        organization = Organization(client)
        person, headers = _second_admin(organization)
        made = _invited_by(organization, headers, email="a@x.org", roles=["admin"])
        _change(organization, person, status="inactive")
        with app.state.database.tenant(organization.id) as session:
            session.execute(update(Invitation).values(status="pending"), execution_options={"synchronize_session": False})
            session.commit()
        assert accept(organization, made["token"]).status_code == 404


def test_c11_sessions_from_before_a_deactivation_stay_ended(client: httpx.Client, organization: Organization) -> None:
    person, before = _second_admin(organization)
    _change(organization, person, status="inactive")
    _change(organization, person, status="active")
    assert client.get("/api/v1/people", headers=before).status_code == 401
    assert client.get("/api/v1/people", headers=organization.sign_in("bo@x.org")).status_code == 200
    # Saying again what is so ends nobody's session.
    _change(organization, person, status="active")
    assert client.get("/api/v1/people", headers=organization.admin).status_code == 200
