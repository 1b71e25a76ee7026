"""What browsers are told about every answer of the API, whatever stands in front of it."""

import httpx
import pytest
from starlette.responses import Response

from tests.app.harness import Organization, development, serving

EXPECTED = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def assert_headers(answer: httpx.Response) -> None:
    for name, value in EXPECTED.items():
        assert answer.headers.get_list(name) == [value], (answer.request.url, name)


@pytest.mark.parametrize(
    "path",
    ["/nope", "/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/api/v1/people", "/api/v1/events/%00"],
)
def test_every_answer_has_them_once(client: httpx.Client, path: str) -> None:
    assert_headers(client.get(path))


def test_answers_with_data_and_refusals_have_them(client: httpx.Client) -> None:
    organization = Organization(client)
    assert_headers(client.get("/api/v1/people", headers=organization.admin))
    assert_headers(client.post("/api/v1/sessions", content=b"x" * (1024 * 1024 + 1)))


def test_an_answer_s_own_word_stands(sqlite_url: str) -> None:
    with serving(development(sqlite_url)) as (client, app):

        @app.get("/page", response_model=None)
        def page() -> Response:
            return Response(headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "max-age=1"})

        @app.get("/boom")
        def boom() -> None:
            raise RuntimeError

        answer = client.get("/page")
        assert answer.headers.get_list("Content-Security-Policy") == ["default-src 'self'"]
        assert answer.headers.get_list("Cache-Control") == ["max-age=1"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert_headers(client.get("/boom"))
