"""The API does what its description says: any request it allows or nearly allows gets a described answer, never a 500.

CONTRACT_EXAMPLES sets how many requests are tried for each operation (the proof runs more than the tests).
"""

import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import UndefinedStatusCode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.app.harness import PASSWORD, ROOT, Organization, production, serving

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "10"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = ROOT / "docs" / "openapi.json"
DESCRIPTION: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
# They say where a request ends: a wrong one is answered by the HTTP server, before there is a request to describe.
FRAMING = {"content-length", "transfer-encoding"}
# A stream does not end; tests of its own look at it.
STREAM = "/api/v1/stream"
OPERATIONS = [(method, path) for path, operations in DESCRIPTION["paths"].items() for method in operations if path != STREAM]


def test_the_document_matches_the_application() -> None:
    printed = subprocess.run([sys.executable, "-m", "app.openapi_document"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert DOCUMENT.read_text(encoding="utf-8") == printed.stdout, "run python -m app.openapi_document > docs/openapi.json"


def test_development_serves_it_and_servers_do_not(client: httpx.Client, postgres_url: str) -> None:
    assert client.get("/openapi.json").json() == DESCRIPTION
    with serving(production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1")) as (server, _):
        assert server.get("/openapi.json").status_code == 404


class World:
    """One organisation with something of everything, so that requests find what they ask for."""

    def __init__(self, client: httpx.Client) -> None:
        self.organization = Organization(client)
        self.base_url = str(client.base_url)
        self._client = client
        event = self.organization.event()
        person = self._post("/api/v1/people", name="Vera", email="vera@x.org", password=PASSWORD)["id"]
        team = self._post("/api/v1/teams", name="Ushers")["id"]
        self._post(f"/api/v1/teams/{team}/members", person_id=person)
        self._post(f"/api/v1/events/{event}/teams", team_id=team)
        assignment = self._post("/api/v1/assignments", event_id=event, person_id=person)["id"]
        base = f"/api/v1/people/{person}/availability"
        # Never the administrator's own id: a generated change would end their session.
        self.known: dict[str, Any] = {
            "org_id": self.organization.id,
            "person_id": person,
            "event_id": event,
            "team_id": team,
            "assignment_id": assignment,
            "sign_up_id": assignment,
            "exception_id": self._post(f"{base}/exceptions", date="2027-01-01")["id"],
            "vacation_id": self._post(f"{base}/vacations", start_date="2027-01-01", end_date="2027-01-02")["id"],
            "invitation_id": self._post("/api/v1/invitations", email="new@x.org")["id"],
        }

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self._client.post(path, headers=self.organization.admin, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[httpx.Client]:
    environment = production(DATABASE_URL=postgres_url, ALLOWED_HOSTS="127.0.0.1")
    with serving(environment | {"SIGN_IN_LIMIT_PER_MINUTE": "0", "RATE_LIMIT_PER_SECOND": "0"}) as (client, _):
        yield client


@pytest.fixture
def world(server: httpx.Client) -> World:
    return World(server)


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(operation) for operation in OPERATIONS])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_every_answer_is_described(world: World, method: str, path: str, mode: GenerationMode) -> None:
    attempt(world, DESCRIPTION, method, path, mode)


def test_an_answer_that_is_not_described_is_found(world: World) -> None:
    changed = copy.deepcopy(DESCRIPTION)
    del changed["paths"]["/api/v1/teams/{team_id}"]["get"]["responses"]["404"]
    with pytest.raises(FailureGroup) as caught:
        attempt(world, changed, "get", "/api/v1/teams/{team_id}", GenerationMode.POSITIVE)
    assert isinstance(caught.value.exceptions[0], UndefinedStatusCode)


def attempt(world: World, description: dict[str, Any], method: str, path: str, mode: GenerationMode) -> None:
    operation = schemathesis.openapi.from_dict(description)[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        choose = random.Random(repr(case))
        for place in (case.path_parameters, case.body, case.query):
            if isinstance(place, dict):
                for name in place.keys() & world.known.keys():
                    if choose.random() < 0.7:
                        place[name] = world.known[name]
        for name in [name for name in case.headers if name.lower() in FRAMING]:
            del case.headers[name]
        if choose.random() < 0.9:  # the rest keeps what is generated: none, or a wrong one
            case.headers.update(world.organization.admin)
        case.validate_response(case.call(base_url=world.base_url), checks=CHECKS)

    run()
