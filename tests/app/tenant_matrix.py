"""Every route, asked by everybody for another organisation's things: what must show is nothing.

`attack` runs against any address, over HTTP alone: a server of a test's, or a deployment. It needs somebody who sends
(`Send`), and two organisations that `prepare` makes. A row of its result is one request with its verdict.
"""

import dataclasses
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

PASSWORD = "correct horse battery"
# Ids that nothing has: what is not there must look the same as what is somebody else's.
UNKNOWN_TEXT, UNKNOWN_NUMBER = "unknown_0000", 2147483646
OK = "ok"


class Answer(Protocol):
    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Any: ...

    @property
    def text(self) -> str: ...


# Method, path with query, headers, and a body: JSON, or text as it is. Redirects are not followed.
Send = Callable[[str, str, Mapping[str, str], Any], Answer]


@dataclasses.dataclass(frozen=True)
class Case:
    """One route. `{name}` in the path and `$name` in the values of `body`, `form` and `query` are ids of an organisation's
    things; `public`: no sign-in is needed."""

    method: str
    route: str
    body: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None
    public: bool = False

    @property
    def names(self) -> list[str]:
        values = [*(self.body or {}).values(), *(self.form or {}).values(), *(self.query or {}).values()]
        named = [value[1:] for value in values if isinstance(value, str) and value.startswith("$")]
        return list(dict.fromkeys([*re.findall(r"{(\w+)}", self.route), *named]))


TIMES = {"start_time": "2027-01-03T09:00:00Z", "end_time": "2027-01-03T11:00:00Z"}
ADMIN = {"name": "N", "email": "n@example.org", "password": PASSWORD}
AVAILABILITY = "/api/v1/people/{person_id}/availability"
VACATION = {"start_date": "2027-03-01", "end_date": "2027-03-02"}
ACCEPT = {"organization": "$org_id", "token": "$token", "name": "N", "password": PASSWORD}

CASES = [
    Case("POST", "/api/v1/organizations", {"name": "New", "admin": ADMIN}, public=True),
    Case("GET", "/api/v1/organizations/{org_id}"),
    Case("PATCH", "/api/v1/organizations/{org_id}", {"name": "taken over"}),
    Case("POST", "/api/v1/sessions", {"organization": "$org_id", "email": "n@example.org", "password": PASSWORD}, public=True),
    Case("GET", "/api/v1/invitations"),
    Case("POST", "/api/v1/invitations", {"email": "n@example.org"}),
    # A token opens its own organisation only, so a stranger's organisation is named with a token that is not its own.
    Case("POST", "/api/v1/invitations/accept", ACCEPT | {"token": "A" * 43}, public=True),
    Case("DELETE", "/api/v1/invitations/{invitation_id}"),
    Case("GET", "/api/v1/people"),
    Case("POST", "/api/v1/people", {"name": "N"}),
    Case("GET", "/api/v1/people/{person_id}"),
    Case("PATCH", "/api/v1/people/{person_id}", {"name": "taken over"}),
    Case("GET", AVAILABILITY),
    Case("PUT", AVAILABILITY, {"rrule": "FREQ=DAILY"}),
    Case("GET", f"{AVAILABILITY}/exceptions"),
    Case("POST", f"{AVAILABILITY}/exceptions", {"date": "2027-03-01"}),
    Case("DELETE", f"{AVAILABILITY}/exceptions/{{exception_id}}"),
    Case("GET", f"{AVAILABILITY}/vacations"),
    Case("POST", f"{AVAILABILITY}/vacations", VACATION),
    Case("DELETE", f"{AVAILABILITY}/vacations/{{vacation_id}}"),
    Case("GET", "/api/v1/teams", query={"person_id": "$person_id"}),
    Case("POST", "/api/v1/teams", {"name": "N"}),
    Case("GET", "/api/v1/teams/{team_id}"),
    Case("PATCH", "/api/v1/teams/{team_id}", {"name": "taken over"}),
    Case("DELETE", "/api/v1/teams/{team_id}"),
    Case("GET", "/api/v1/teams/{team_id}/members"),
    Case("POST", "/api/v1/teams/{team_id}/members", {"person_id": "$person_id"}),
    Case("DELETE", "/api/v1/teams/{team_id}/members/{person_id}"),
    Case("GET", "/api/v1/events"),
    Case("POST", "/api/v1/events", {"type": "x", **TIMES}),
    Case("GET", "/api/v1/events/{event_id}"),
    Case("PATCH", "/api/v1/events/{event_id}", {"title": "taken over"}),
    Case("DELETE", "/api/v1/events/{event_id}"),
    Case("GET", "/api/v1/events/{event_id}/teams"),
    Case("POST", "/api/v1/events/{event_id}/teams", {"team_id": "$team_id"}),
    Case("DELETE", "/api/v1/events/{event_id}/teams/{team_id}"),
    Case("GET", "/api/v1/events/{event_id}/sign-ups"),
    Case("POST", "/api/v1/events/{event_id}/sign-ups", {"role": "usher"}),
    Case("DELETE", "/api/v1/events/{event_id}/sign-ups/{sign_up_id}"),
    Case("GET", "/api/v1/assignments", query={"person_id": "$person_id", "event_id": "$event_id"}),
    Case("POST", "/api/v1/assignments", {"event_id": "$event_id", "person_id": "$person_id"}),
    Case("GET", "/api/v1/assignments/{assignment_id}"),
    Case("PATCH", "/api/v1/assignments/{assignment_id}", {"status": "declined"}),
    Case("DELETE", "/api/v1/assignments/{assignment_id}"),
    Case("GET", "/login", query={"organization": "$org_id"}, public=True),
    Case("POST", "/login", form={"organization": "$org_id", "email": "n@example.org", "password": PASSWORD}, public=True),
    Case("POST", "/logout", form={}, public=True),
    Case("POST", "/language", form={"language": "en", "back": "/events"}, public=True),
    Case("GET", "/events", query={"done": "signed_up", "event": "$event_id"}),
    Case("GET", "/events/{event_id}/card"),
    Case("POST", "/events/{event_id}/sign-up", form={}),
    Case("POST", "/events/{event_id}/cancel", form={}),
    Case("GET", "/", public=True),
]

EXEMPT = {
    ("GET", "/api/v1/stream"): "does not end and takes no ids; tests/app/test_stream.py asks it as everybody",
    ("GET", "/stream"): "does not end and takes no ids; tests/app/test_stream.py asks it as everybody",
    ("GET", "/static/{content_hash}/{name}"): "three files of the program's own",
    ("GET", "/health"): "of the process, not of an organisation",
    ("GET", "/health/live"): "of the process, not of an organisation",
    ("GET", "/health/ready"): "of the process, not of an organisation",
    ("GET", "/health/ready/database"): "of the process, not of an organisation",
    ("GET", "/metrics"): "of the process; labels are route templates, never ids (tests/app/test_logs.py)",
    ("GET", "/openapi.json"): "the description of the program; development only",
}


@dataclasses.dataclass
class Side:
    """An organisation with one of everything. `roles`: headers of its people; `ids`: its things; `markers`: texts that
    only its own people may ever see."""

    name: str
    roles: dict[str, dict[str, str]]
    ids: dict[str, str | int]
    markers: list[str]
    form_tokens: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Row:
    """`asked`: which of the ids were the other organisation's."""

    method: str
    route: str
    role: str
    asked: str
    status: int
    verdict: str


def patient(send: Send) -> Send:
    """Waits where a rate limit says so; a deployment has them."""

    def sending(method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
        while (answer := send(method, path, headers, body)).status_code == 429:
            time.sleep(float(answer.headers["retry-after"]))
        return answer

    return sending


def prepare(send: Send, label: str) -> Side:
    """Makes an organisation: an administrator, a volunteer, somebody who left (with a session), and one of everything."""
    mark = f"marker{secrets.token_hex(6)}"
    nobody: dict[str, str] = {}

    def post(path: str, headers: Mapping[str, str], **body: Any) -> dict[str, Any]:
        answer = send("POST", path, headers, body)
        assert answer.status_code == 201, f"{path}: {answer.status_code} {answer.text}"
        return dict(json.loads(answer.text))

    def sign_in(email: str) -> dict[str, str]:
        token = post("/api/v1/sessions", nobody, organization=org_id, email=email, password=PASSWORD)["access_token"]
        return signed_in(token)

    emails = {who: f"{mark}-{who}@example.org" for who in ("admin", "volunteer", "left", "invited")}
    made = post(
        "/api/v1/organizations",
        nobody,
        name=f"{mark} organisation",
        admin={"name": f"{mark} admin", "email": emails["admin"], "password": PASSWORD},
    )
    org_id = made["organization"]["id"]
    admin = sign_in(emails["admin"])
    people = {
        who: post("/api/v1/people", admin, name=f"{mark} {who}", email=emails[who], password=PASSWORD)["id"]
        for who in ("volunteer", "left")
    }
    roles = {"admin": admin, "volunteer": sign_in(emails["volunteer"]), "inactive": sign_in(emails["left"])}
    assert send("PATCH", f"/api/v1/people/{people['left']}", admin, {"status": "inactive"}).status_code == 200
    event = post("/api/v1/events", admin, type=f"{mark} event", title=f"{mark} title", role_counts={mark: 3}, **TIMES)["id"]
    team = post("/api/v1/teams", admin, name=f"{mark} team", description=f"{mark} description")["id"]
    post(f"/api/v1/teams/{team}/members", admin, person_id=people["volunteer"])
    post(f"/api/v1/events/{event}/teams", admin, team_id=team)
    assignment = post("/api/v1/assignments", admin, event_id=event, person_id=people["volunteer"], role=mark)["id"]
    base = f"/api/v1/people/{people['volunteer']}/availability"
    invitation = post("/api/v1/invitations", admin, email=emails["invited"])
    ids: dict[str, str | int] = {
        "org_id": org_id,
        "person_id": people["volunteer"],
        "event_id": event,
        "team_id": team,
        "assignment_id": assignment,
        "sign_up_id": assignment,
        "exception_id": post(f"{base}/exceptions", admin, date="2027-01-01")["id"],
        "vacation_id": post(f"{base}/vacations", admin, reason=f"{mark} reason", **VACATION)["id"],
        "invitation_id": invitation["id"],
    }
    texts = [value for value in ids.values() if isinstance(value, str)]
    side = Side(label, roles, ids, [mark, *texts, *people.values(), made["admin"]["id"], invitation["token"]])
    for role, headers in roles.items():
        page = send("GET", "/events", {**headers, "Accept": "text/html"}, None).text
        found = re.search(r'name="form" value="([0-9a-f]+)"', page)
        side.form_tokens[role] = found[1] if found else ""
    return side


def signed_in(token: str) -> dict[str, str]:
    """As a program and as a browser; a server takes the cookie by its second name only."""
    return {"Authorization": f"Bearer {token}", "Cookie": f"session={token}; __Host-session={token}"}


def attack(send: Send, ours: Side, theirs: Side, dump: Callable[[], Any], expired: str = "") -> Iterator[Row]:
    """`ours` asks for `theirs`. `dump` gives all rows of `theirs`, however it gets them. `expired`: a token of their
    administrator whose time is over (one that is no token at all otherwise)."""
    send = patient(send)
    strangers = {"anonymous": {}, "expired token": signed_in(expired or "x.y.z"), "inactive": theirs.roles["inactive"]}
    for case in CASES:
        before = dump()
        rows = []
        for role, headers in strangers.items():
            rows.append(_refused(send, case, role, headers, theirs))
        for role in ("volunteer", "admin"):
            rows += _foreign(send, case, role, ours, theirs)
        changed = dump() != before
        for row in rows:
            yield dataclasses.replace(row, verdict="their rows changed") if changed else row


def own(send: Send, side: Side) -> Iterator[Row]:
    """The control: the same requests by the organisation's own administrator find what they ask for. Changes everything in
    `side`, what is nested deepest first and deletions last."""
    send = patient(send)
    last = {"POST": 1, "PUT": 1, "PATCH": 1, "DELETE": 2}
    for case in sorted(CASES, key=lambda case: (last.get(case.method, 0), -case.route.count("/") * (case.method == "DELETE"))):
        answer, _ = _ask(send, case, side.roles["admin"], side.form_tokens["admin"], side.ids)
        # A wrong password and a used token are what these cases are about; a repeated sign-up is a conflict.
        expected = {200, 201, 204, 303, 409} | ({401, 404} if case.public else set())
        deleted_before = case.method == "DELETE" and case.route.endswith("/{assignment_id}")  # the sign-up is the same row
        verdict = OK if answer.status_code in expected or deleted_before else "does not reach what it asks for"
        yield Row(case.method, case.route, "own admin", "own", answer.status_code, verdict)


def _refused(send: Send, case: Case, role: str, headers: Mapping[str, str], theirs: Side) -> Row:
    answer, asked = _ask(send, case, headers, "", theirs.ids)
    login = answer.status_code == 303 and str(answer.headers.get("location", "")).startswith("/login")
    verdict = _leak(answer, theirs, asked)
    if verdict == OK and not case.public and answer.status_code != 401 and not login:
        verdict = "not refused"
    return Row(case.method, case.route, role, "all" if case.names else "-", answer.status_code, verdict)


def _foreign(send: Send, case: Case, role: str, ours: Side, theirs: Side) -> Iterator[Row]:
    """Each choice of which ids are theirs, the rest ours; compared with ids that nothing has."""
    headers, form = ours.roles[role], ours.form_tokens[role]
    name = f"{ours.name} {role}"
    if not case.names:
        answer, asked = _ask(send, case, headers, form, ours.ids)
        yield Row(case.method, case.route, name, "-", answer.status_code, _leak(answer, theirs, asked))
    for count in range(1, len(case.names) + 1):
        for foreign in itertools.combinations(case.names, count):
            answer, asked = _ask(send, case, headers, form, ours.ids | {key: theirs.ids[key] for key in foreign})
            unknown_ids = {key: _unknown(theirs.ids[key]) for key in foreign}
            unknown, unknown_asked = _ask(send, case, headers, form, ours.ids | unknown_ids)
            verdict = _leak(answer, theirs, asked)
            if verdict == OK and _shown(answer, asked) != _shown(unknown, unknown_asked):
                verdict = f"differs from an unknown id ({unknown.status_code})"
            yield Row(case.method, case.route, name, ", ".join(foreign), answer.status_code, verdict)


def _ask(
    send: Send, case: Case, headers: Mapping[str, str], form_token: str, ids: Mapping[str, str | int]
) -> tuple[Answer, list[str]]:
    """The answer, and the texts that the request itself held."""
    used = {name: ids[name] for name in case.names}

    def filled(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: used[value[1:]] if isinstance(value, str) and value.startswith("$") else value for key, value in values.items()
        }

    path = case.route.format(**used) + (f"?{urlencode(filled(case.query))}" if case.query else "")
    sent = dict(headers)
    body: Any = None
    if case.form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(filled(case.form) | {"form": form_token})
    elif case.body is not None:
        body = filled(case.body)
    return send(case.method, path, sent, body), [str(value) for value in used.values()]


def _unknown(value: str | int) -> str | int:
    return UNKNOWN_NUMBER if isinstance(value, int) else UNKNOWN_TEXT


def _leak(answer: Answer, theirs: Side, asked: list[str]) -> str:
    """What the request itself said is no news to whoever sent it."""
    whole = f"{list(answer.headers.items())} {answer.text}"
    for text in asked:
        if len(text) > 8:
            whole = whole.replace(text, "")
    leaked = [marker for marker in theirs.markers if marker in whole]
    if answer.status_code >= 500:
        return "server error"
    return f"shows {leaked[0]}" if leaked else OK


def _shown(answer: Answer, asked: list[str]) -> tuple[int, str, list[tuple[str, str]]]:
    """An answer without what differs between any two requests, and without the ids that were asked for."""
    varying = {"date", "x-request-id", "content-length"}
    headers = sorted((name.lower(), value) for name, value in answer.headers.items() if name.lower() not in varying)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "", answer.text)
    for value in sorted(asked, key=len, reverse=True):
        if len(value) > 8:
            text = text.replace(value, "<id>")
            headers = [(name, shown.replace(value, "<id>")) for name, shown in headers]
    return answer.status_code, text, headers
