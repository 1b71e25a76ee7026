"""The volunteers' page: what it shows, its forms, its languages and its headers."""

import html
import re

import httpx
import pytest

from app.locales import LANGUAGES, messages
from app.web.texts import text
from tests.app.browsing import ACCEPT, Person, signed_in
from tests.app.harness import PASSWORD, Organization, development, production, serving


def make_event(
    organization: Organization, title: str = "Sunday service", start: str = "2031-01-05T14:00:00Z", **more: object
) -> str:
    end = start.replace("T14", "T16")
    wanted = {"type": "service", "title": title, "start_time": start, "end_time": end, **more}
    made = organization.client.post("/api/v1/events", headers=organization.admin, json=wanted)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


@pytest.fixture
def organization(client: httpx.Client) -> Organization:
    return Organization(client)


def test_a_volunteer_signs_up_and_cancels_without_javascript(organization: Organization) -> None:
    event = make_event(organization)
    person = signed_in(organization, timezone="America/New_York")
    assert "Sunday, 5 January 2031, 09:00\N{EN DASH}11:00" in person.page.text
    assert "Nobody has signed up yet." in person.page.text
    page = person.submit(f"/events/{event}/sign-up")
    assert page.status_code == 200
    assert page.history[0].status_code == 303
    assert "You are signed up for Sunday service." in page.text
    assert "1 person has signed up" in page.text
    assert "Vera (you)" in page.text
    page = person.submit(f"/events/{event}/cancel")
    assert "You are no longer signed up for Sunday service." in page.text
    assert "Nobody has signed up yet." in page.text


def test_what_people_wrote_is_shown_as_text(organization: Organization) -> None:
    event = make_event(organization, title="<script>alert(1)</script> {skip} {{ 7*7 }}")
    person = signed_in(organization, name='"><b>Vera')
    page = person.submit(f"/events/{event}/sign-up")
    assert "<script>alert" not in page.text
    assert "<b>" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {skip} {{ 7*7 }}" in page.text


def test_past_events_are_not_shown_and_many_events_are_paged(organization: Organization) -> None:
    make_event(organization, title="Long ago", start="2001-01-01T14:00:00Z")
    for number in range(21):
        make_event(organization, title=f"Event {number:02}", start=f"2031-01-{number + 1:02}T14:00:00Z")
    person = signed_in(organization)
    assert person.page.text.count("<article") == 20
    assert "Long ago" not in person.page.text
    assert "Page 1 of 2" in person.page.text
    page = person.open("/events?page=2")
    assert page.text.count("<article") == 1
    (action,) = re.findall(r'action="(/events/[^"]+/sign-up)"', page.text)
    assert "Event 20" in person.submit(action).text  # back on the same page
    assert person.page.url.params["page"] == "2"
    assert person.open("/events?page=0").status_code == 422


def test_a_role_is_chosen_while_it_has_places(organization: Organization) -> None:
    event = make_event(organization, role_counts={"Usher": 1, "Singer": 2})
    first, second = signed_in(organization, name="One"), signed_in(organization, name="Two")
    assert "Usher (1 left)" in first.page.text
    assert "One (you) · Usher" in first.submit(f"/events/{event}/sign-up", role="Usher").text
    page = second.submit(f"/events/{event}/sign-up", role="Usher")  # a page from before
    assert messages("en")["full"] in page.text
    assert "Usher (1 left)" not in page.text
    assert "Singer (2 left)" in page.text


def test_a_crowd_is_counted_and_not_all_named(client: httpx.Client, organization: Organization) -> None:
    event = make_event(organization)
    for _ in range(14):
        assert client.post(f"/api/v1/events/{event}/sign-ups", headers=organization.volunteer(), json={}).status_code == 201
    page = signed_in(organization, name="Zoe").page
    assert "14 people have signed up" in page.text
    assert page.text.count("<li>Vera</li>") == 12
    assert "and 2 more" in page.text


def test_asked_by_an_administrator_one_accepts_on_the_page(client: httpx.Client, organization: Organization) -> None:
    event = make_event(organization)
    person = signed_in(organization)
    people = client.get("/api/v1/people", headers=organization.admin).json()["items"]
    (person_id,) = [one["id"] for one in people if one["name"] == "Vera"]
    asked = client.post("/api/v1/assignments", headers=organization.admin, json={"event_id": event, "person_id": person_id})
    assert asked.status_code == 201, asked.text
    assert "You have been asked to help." in person.open("/events").text
    assert "You are signed up." in person.submit(f"/events/{event}/sign-up").text


def test_another_organisations_events_do_not_exist(client: httpx.Client, organization: Organization) -> None:
    other = make_event(Organization(client, "Other"))
    own = make_event(organization)
    person = signed_in(organization)
    assert other not in person.page.text
    assert person.open(f"/events/{other}/card").status_code == 404
    person.open("/events")
    token = re.search(r'name="form" value="(\w+)"', person.page.text)
    assert token
    for action in ("sign-up", "cancel"):
        person.client.post(f"/events/{other}/{action}", data={"form": token[1]})
    assert person.client.post(f"/events/{other}/sign-up", data={"form": token[1]}).status_code == 404
    assert person.open(f"/events/{own}/card").status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_from_sign_in_to_sign_up(organization: Organization, language: str) -> None:
    event = make_event(organization, title="Föreningen 活动")
    person = Person(organization.client, language)
    assert f'<html lang="{language}">' in person.page.text
    assert person.page.headers["Content-Language"] == language
    assert person.page.headers["Vary"] == "Accept-Language, Cookie"
    wrong = person.sign_in(organization.id, "nobody@x.org")
    assert wrong.status_code == 401
    assert messages(language)["invalid_credentials"] in html.unescape(wrong.text)
    person = signed_in(organization, language)
    assert text("events", language) in person.page.text
    page = person.submit(f"/events/{event}/sign-up")
    assert text("done_signed_up", language, event="Föreningen 活动") in html.unescape(page.text)
    assert text("signed_up_one", language, count=1) in html.unescape(page.text)


def test_the_chosen_language_stays_and_is_stored(client: httpx.Client, organization: Organization) -> None:
    person = signed_in(organization, "es")
    assert '<html lang="es">' in person.page.text
    assert '<html lang="zh-TW">' in person.submit("/language", language="zh-TW").text
    stored = {one["name"]: one["language"] for one in client.get("/api/v1/people", headers=organization.admin).json()["items"]}
    assert stored["Vera"] == "zh-TW"
    person.submit("/logout")
    assert '<html lang="zh-TW">' in person.page.text
    assert person.client.post("/language", data={"language": "xx"}).status_code == 422


@pytest.mark.parametrize(
    "back", ["https://evil.test/", "//evil.test/events", "/\\evil.test", "/loginx/../..//evil", "javascript:x"]
)
def test_the_language_form_leads_nowhere_else(client: httpx.Client, back: str) -> None:
    answer = client.post("/language", data={"language": "fr", "back": back})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"


def test_the_session_ends_with_sign_out_expiry_and_a_new_password(client: httpx.Client, organization: Organization) -> None:
    person = signed_in(organization)
    person.submit("/logout")
    assert person.page.url.path == "/login"
    assert "ended" not in person.page.url.query.decode()
    assert person.open("/events").url.path == "/login"
    person = signed_in(organization, name="Rob")
    people = client.get("/api/v1/people", headers=organization.admin).json()["items"]
    (rob,) = [one["id"] for one in people if one["name"] == "Rob"]
    changed = client.patch(f"/api/v1/people/{rob}", headers=organization.admin, json={"password": "another long one"})
    assert changed.status_code == 200
    page = person.open("/events")
    assert page.url.path == "/login"
    assert text("session_ended", "en") in page.text
    assert "session" not in person.client.cookies


def test_the_script_is_told_of_a_lost_session_and_not_redirected(client: httpx.Client) -> None:
    for path in ("/events", "/stream", "/events/x/card"):
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert answer.json()["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_forms_of_other_sites_are_refused(organization: Organization, headers: dict[str, str]) -> None:
    event = make_event(organization)
    person = signed_in(organization)
    page = person.page
    for action in (f"/events/{event}/sign-up", "/logout", "/language"):
        person.page = page
        assert person.submit(action, headers, language="fr").status_code == 403
    person.client.cookies.delete("session")
    person.open("/login")
    assert person.submit("/login", headers, organization=organization.id, email="x", password=PASSWORD).status_code == 403


def test_a_form_needs_its_own_sessions_token(organization: Organization) -> None:
    event = make_event(organization)
    one, two = signed_in(organization, name="One"), signed_in(organization, name="Two")
    token = re.search(r'name="form" value="(\w+)"', two.page.text)
    assert token
    for wrong in (token[1], "", "ä" * 64, "0" * 64):
        assert one.client.post(f"/events/{event}/sign-up", data={"form": wrong}).status_code == 403
    assert "1 person" in one.submit(f"/events/{event}/sign-up", {"Origin": str(one.client.base_url).rstrip("/")}).text


def test_sign_in_says_what_is_missing_and_keeps_what_was_typed(organization: Organization) -> None:
    person = Person(organization.client)
    page = person.sign_in(organization.id, "")
    assert page.status_code == 422
    assert text("required", "en") in page.text
    assert f'value="{organization.id}"' in page.text
    assert 'aria-invalid="true"' in page.text
    assert PASSWORD not in page.text
    assert person.open("/login?organization=x%22y").text.count('value="x&#34;y"') == 1
    assert person.sign_in("a\x00b", "c\x00d").status_code == 401


def test_guessing_on_the_page_is_limited(sqlite_url: str) -> None:
    with serving(development(sqlite_url, SIGN_IN_LIMIT_PER_MINUTE="2")) as (client, _):
        person = Person(client)
        answers = [person.sign_in("nope", "x@x.org").status_code for _ in range(3)]
        assert answers == [401, 401, 429]
        assert int(person.page.headers["Retry-After"]) > 0
        assert messages("en")["rate_limited"] in person.page.text


def test_headers_let_nothing_in_and_nobody_frame_it(organization: Organization) -> None:
    pages = [signed_in(organization).page, Person(organization.client).page, Person(organization.client).open("/nothing")]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert policy == "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        assert page.headers.get_list("Cache-Control") == ["no-store"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "style=" not in page.text
        assert not re.search(r"<script(?! src=)|<style|\son\w+=|https?://", page.text)


def test_static_files_are_kept_for_ever_by_their_content(client: httpx.Client) -> None:
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/login").text):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        of_another_release = client.get(re.sub(r"/static/\w+/", "/static/0123456789abcdef/", path))
        assert of_another_release.status_code == 200
        assert of_another_release.headers["Cache-Control"] == "no-store"
    assert client.get("/static/x/other.css").status_code == 404


def test_the_session_cookie_is_a_host_cookie_where_there_is_https(client: httpx.Client, sqlite_url: str) -> None:
    organization = Organization(client)
    form = {"organization": organization.id, "email": organization.email, "password": PASSWORD}
    cookie = client.post("/login", data=form).headers["Set-Cookie"]
    assert re.fullmatch(r"session=[^;]+; HttpOnly; Max-Age=3600; Path=/; SameSite=lax", cookie)
    with serving(production(ALLOWED_HOSTS="127.0.0.1")) as (server, _):
        cookie = server.get("/events", headers={"Cookie": "__Host-session=x", **ACCEPT}).headers["Set-Cookie"]
    assert re.fullmatch(r'__Host-session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure', cookie)


@pytest.mark.parametrize("language", LANGUAGES)
def test_failures_are_pages_for_people_and_json_for_programs(language: str) -> None:
    with serving(production(ALLOWED_HOSTS="127.0.0.1")) as (client, _):  # its database is away
        headers = ACCEPT | {"Accept-Language": language}
        missing = client.get("/nothing", headers=headers)
        assert missing.status_code == 404
        assert f'<html lang="{language}">' in missing.text
        assert text("title_not_found", language) in missing.text
        assert missing.headers["X-Request-Id"] in missing.text
        form = {"organization": "x", "email": "x@x.org", "password": "x"}
        away = client.post("/login", headers=headers, data=form)
        assert away.status_code == 503
        assert away.headers["Retry-After"] == "1"
        assert messages(language)["database_unavailable"] in html.unescape(away.text)
        other_host = client.get("/", headers=headers | {"Host": "other.test"})
        assert other_host.status_code == 400
        assert messages(language)["invalid_host"] in html.unescape(other_host.text)
        assert client.get("/nothing").json()["error"]["code"] == "not_found"
        assert client.get("/api/v1/nothing", headers=headers).json()["error"]["code"] == "not_found"


def test_the_root_leads_people_to_the_page_and_tells_programs_what_this_is(client: httpx.Client) -> None:
    assert client.get("/").json()["name"] == "SignUpFlow"
    assert client.get("/", headers=ACCEPT).headers["Location"] == "/events"


def test_what_postgresql_cannot_hold_and_the_ends_of_the_calendar_are_no_server_errors(postgres_url: str) -> None:
    with serving(development(postgres_url)) as (client, _):
        organization = Organization(client)
        event = make_event(organization)
        wanted = {"type": "end", "start_time": "2031-01-01T00:00:00Z", "end_time": "9999-12-31T23:59:59Z"}
        assert client.post("/api/v1/events", headers=organization.admin, json=wanted).status_code == 201
        person = signed_in(organization, timezone="Asia/Tokyo")
        assert person.open("/events?done=signed_up&event=%00").status_code == 200
        assert person.submit(f"/events/{event}/sign-up", role="a\x00b").status_code == 200
