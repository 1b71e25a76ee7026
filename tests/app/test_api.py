"""The first tenant routes: organisations, sign-in, people, events, sign-ups."""

import shutil
import time
from pathlib import Path

import bcrypt
import httpx
import jwt
import pytest
from sqlalchemy import create_engine, text

from app import security
from tests.app.harness import PASSWORD, REAL_FILE, Organization, development, serving


def test_us1_1_an_organisation_signs_up_and_its_admin_signs_in(client: httpx.Client) -> None:
    organization = Organization(client, "北京志愿者协会")
    shown = client.get(f"/api/v1/organizations/{organization.id}", headers=organization.admin)
    assert shown.status_code == 200
    assert shown.json()["name"] == "北京志愿者协会"
    changed = client.patch(f"/api/v1/organizations/{organization.id}", headers=organization.admin, json={"region": "CN-BJ"})
    assert changed.json()["region"] == "CN-BJ"


@pytest.mark.parametrize("change", [{"password": "wrong password"}, {"email": "nobody@x.org"}, {"organization": "nope"}])
def test_sign_in_says_the_same_whatever_is_wrong(client: httpx.Client, change: dict[str, str]) -> None:
    organization = Organization(client)
    right = {"organization": organization.id, "email": organization.email.upper(), "password": PASSWORD}
    assert client.post("/api/v1/sessions", json=right).status_code == 201
    answer = client.post("/api/v1/sessions", json=right | change)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_credentials"


def test_people_without_a_password_cannot_sign_in(client: httpx.Client) -> None:
    organization = Organization(client)
    made = client.post("/api/v1/people", headers=organization.admin, json={"name": "Pat", "email": "pat@x.org"})
    assert made.status_code == 201
    for password in ("x", "None", PASSWORD):
        answer = client.post(
            "/api/v1/sessions", json={"organization": organization.id, "email": "pat@x.org", "password": password}
        )
        assert answer.status_code == 401


def test_new_hashes_are_bcrypt_12_and_old_long_passwords_still_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert security.hash_password("a real password").startswith("$2b$12$")
    monkeypatch.setattr(security, "ROUNDS", 4)
    seventy_two = security.hash_password("p" * 72)
    assert security.verify_password("p" * 90, seventy_two)  # existing hashes were cut at 72 bytes
    assert not security.verify_password("p" * 71, seventy_two)
    assert not security.verify_password("x", None)
    assert not security.verify_password("x", "plain text from somewhere")


def test_sign_in_for_nobody_takes_about_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    stored = security.hash_password("a real password")
    began = time.thread_time()  # of the processor: what else runs here does not count
    security.verify_password("x", stored)
    known = time.thread_time() - began
    began = time.thread_time()
    security.verify_password("x", None)
    unknown = time.thread_time() - began
    assert 0.3 < unknown / known < 3


def test_sec006_tokens_of_every_key_verify_and_the_first_signs(sqlite_url: str) -> None:
    old, new = "old:6d1f0b8e3a9c47529e8d5b7c1f02a364", "new:8091a2b3c4d5e6f78c1d9e0f2a3b4c5d"
    with serving(development(sqlite_url, JWT_KEYS=old)) as (client, _):
        organization = Organization(client)
    with serving(development(sqlite_url, JWT_KEYS=f"{new},{old}")) as (client, _):
        assert client.get("/api/v1/people", headers=organization.admin).status_code == 200
        organization.client = client
        fresh = organization.sign_in(organization.email)["Authorization"].removeprefix("Bearer ")
        assert jwt.get_unverified_header(fresh)["kid"] == "new"
    with serving(development(sqlite_url, JWT_KEYS=new)) as (client, _):
        assert client.get("/api/v1/people", headers=organization.admin).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer a.b.c"])
def test_no_token_no_answer(client: httpx.Client, header: str) -> None:
    answer = client.get("/api/v1/people", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("forged", ["none", "kid", "expired"])
def test_forged_and_expired_tokens_are_refused(client: httpx.Client, forged: str) -> None:
    organization = Organization(client)
    claims = {"iss": "signupflow", "sub": organization.admin_id, "org": organization.id, "ver": 0, "iat": 1, "exp": 2**31}
    key = "development-only-signing-key-not-for-servers"
    if forged == "none":
        token = jwt.encode(claims, "", algorithm="none", headers={"kid": "dev"})
    elif forged == "kid":
        token = jwt.encode(claims, key, headers={"kid": "other"})
    else:
        token = jwt.encode(claims | {"exp": 2}, key, headers={"kid": "dev"})
    assert client.get("/api/v1/people", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    good = jwt.encode(claims, key, headers={"kid": "dev"})
    assert client.get("/api/v1/people", headers={"Authorization": f"Bearer {good}"}).status_code == 200


def test_sec007_volunteers_read_and_sign_up_administrators_write(client: httpx.Client) -> None:
    organization = Organization(client)
    volunteer, event = organization.volunteer(), organization.event()
    assert client.get("/api/v1/people", headers=volunteer).json()["total"] == 2
    refused = [
        ("POST", "/api/v1/people", {"name": "x"}),
        ("PATCH", f"/api/v1/people/{organization.admin_id}", {"name": "x"}),
        ("PATCH", f"/api/v1/organizations/{organization.id}", {"name": "x"}),
        ("POST", "/api/v1/events", {"type": "x", "start_time": "2027-01-01T00:00:00Z", "end_time": "2027-01-01T01:00:00Z"}),
        ("PATCH", f"/api/v1/events/{event}", {"title": "x"}),
        ("DELETE", f"/api/v1/events/{event}", None),
    ]
    for method, path, body in refused:
        assert client.request(method, path, headers=volunteer, json=body).status_code == 403, (method, path)


def test_sign_ups(client: httpx.Client) -> None:
    organization = Organization(client)
    vera, vito, event = organization.volunteer(), organization.volunteer(), organization.event()
    path = f"/api/v1/events/{event}/sign-ups"
    mine = client.post(path, headers=vera, json={"role": "usher"})
    assert mine.status_code == 201
    assert mine.json()["role"] == "usher"
    assert client.post(path, headers=vera, json={}).status_code == 409
    assert client.post(path, headers=vito, json={}).status_code == 201
    assert client.get(path, headers=vito).json()["total"] == 2
    one = f"{path}/{mine.json()['id']}"
    assert client.delete(one, headers=vito).status_code == 403
    assert client.delete(one, headers=vera).status_code == 204
    assert client.delete(one, headers=vera).status_code == 404
    assert client.delete(f"/api/v1/events/{event}", headers=organization.admin).status_code == 204
    assert client.get(path, headers=vito).status_code == 404


def test_a_changed_password_and_a_left_person_end_sessions(client: httpx.Client) -> None:
    organization = Organization(client)
    volunteer = organization.volunteer()
    person = next(p for p in client.get("/api/v1/people", headers=volunteer).json()["items"] if p["name"] == "Vera")
    path = f"/api/v1/people/{person['id']}"
    assert client.patch(path, headers=organization.admin, json={"password": "another long one"}).status_code == 200
    assert client.get("/api/v1/people", headers=volunteer).status_code == 401
    again = organization.sign_in(person["email"], "another long one")
    assert client.patch(path, headers=organization.admin, json={"status": "inactive"}).status_code == 200
    assert client.get("/api/v1/people", headers=again).status_code == 401


def test_pages(client: httpx.Client) -> None:
    organization = Organization(client)
    for _ in range(3):
        organization.event()
    first = client.get("/api/v1/events?limit=2", headers=organization.admin).json()
    second = client.get("/api/v1/events?limit=2&offset=2", headers=organization.admin).json()
    assert (first["total"], len(first["items"]), len(second["items"])) == (3, 2, 1)
    assert not {e["id"] for e in first["items"]} & {e["id"] for e in second["items"]}
    for bad in ("limit=201", "limit=0", "offset=-1", "offset=99999999999999999999"):
        assert client.get(f"/api/v1/events?{bad}", headers=organization.admin).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"type": "x", "start_time": "2027-01-01T01:00:00Z", "end_time": "2027-01-01T00:00:00Z"},
        {"type": "x", "start_time": "2027-01-01T01:00:00", "end_time": "2027-01-01T02:00:00"},
        {"type": "x\u0000", "start_time": "2027-01-01T01:00:00Z", "end_time": "2027-01-01T02:00:00Z"},
        {"type": "", "start_time": "2027-01-01T01:00:00Z", "end_time": "2027-01-01T02:00:00Z"},
        {"type": "x", "start_time": "2027-01-01T01:00:00Z", "end_time": "2027-01-01T02:00:00Z", "org_id": "other"},
    ],
)
def test_bad_bodies_are_refused_without_being_repeated(client: httpx.Client, body: dict[str, str]) -> None:
    organization = Organization(client)
    answer = client.post("/api/v1/events", headers=organization.admin, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"]
    assert "2027" not in answer.text


def test_times_are_kept_in_utc(client: httpx.Client) -> None:
    organization = Organization(client)
    body = {"type": "x", "start_time": "2027-01-01T01:00:00+08:00", "end_time": "2027-01-01T02:00:00+08:00"}
    made = client.post("/api/v1/events", headers=organization.admin, json=body).json()
    assert made["start_time"] == "2026-12-31T17:00:00Z"


def test_unknown_languages_show_english_and_keep_what_is_stored(client: httpx.Client) -> None:
    organization = Organization(client)
    for stored, shown in {"xx-klingon": "en", "zh_TW": "zh-TW", "pt-BR": "pt", "FR": "fr"}.items():
        made = client.post("/api/v1/people", headers=organization.admin, json={"name": "x", "language": stored}).json()
        assert (made["language"], made["display_language"]) == (stored, shown)


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("fr-CA, en;q=0.5", "Bienvenue"),
        ("xx, zh-TW;q=0.9", "歡迎"),
        ("zh", "欢迎"),
        ("es", "Bienvenido"),
        ("pt", "Bem-vindo"),
        ("xx", "Welcome"),
    ],
)
def test_six_languages(client: httpx.Client, header: str, word: str) -> None:
    assert word in client.get("/", headers={"Accept-Language": header}).json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("PUT", "/health", 405), ("GET", "/api/v1/events/%00", 404), ("GET", "/%2e%2e/etc/passwd", 404)],
)
def test_errors_are_json_with_a_request_id(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_big_bodies_are_refused(client: httpx.Client) -> None:
    big = b"x" * (1024 * 1024 + 1)
    assert client.post("/api/v1/sessions", content=big).status_code == 413
    headers = {"Content-Type": "application/json"}
    chunked = client.post("/api/v1/sessions", content=iter([big]), headers=headers)
    assert chunked.status_code == 413


@pytest.mark.skipif(not REAL_FILE.exists(), reason="the existing application's file is not on this machine")
def test_us2_1_the_app_runs_on_an_existing_file_and_existing_hashes_open_it(tmp_path: Path) -> None:
    copy = Path(shutil.copy(REAL_FILE, tmp_path / "real.sqlite"))
    copy.chmod(0o600)
    with serving(development(f"sqlite:///{copy}")) as (client, _):
        assert client.get("/health").json()["components"]["database"]["status"] == "healthy"
        # Nobody knows the passwords, so the code path is proved with a hash of the same kind ($2b$12$) for a known one.
        engine = create_engine(f"sqlite:///{copy}")
        with engine.begin() as connection:
            person, org, email, stored = connection.execute(
                text("SELECT id, org_id, email, password_hash FROM people WHERE password_hash IS NOT NULL LIMIT 1")
            ).one()
            assert stored.startswith("$2b$12$")
            assert not security.verify_password(PASSWORD, stored)
            known = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(12)).decode()
            connection.execute(text("UPDATE people SET password_hash = :h WHERE id = :id"), {"h": known, "id": person})
        engine.dispose()
        answer = client.post("/api/v1/sessions", json={"organization": org, "email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        for path in ("/api/v1/people?limit=200", "/api/v1/events?limit=200", f"/api/v1/organizations/{org}"):
            assert client.get(path, headers=headers).status_code == 200
