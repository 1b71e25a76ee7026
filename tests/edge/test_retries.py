"""What Traefik sends again, and what it never does; the real one, with the routes that deploys write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.network import free_port
from tests.edge.asking import ask
from tests.edge.backend import Backend
from tests.edge.traefik import Traefik

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as found:
        yield found


@pytest.fixture(scope="module")
def edge(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traefik]:
    with Traefik(tmp_path_factory.mktemp("edge"), [backend.url], response_seconds=2) as found:
        yield found


@pytest.mark.parametrize("status", [502, 504, 500, 503])
def test_d2_an_answer_of_the_apps_own_passes_and_is_asked_for_once(edge: Traefik, backend: Backend, status: int) -> None:
    assert ask(edge, f"/status/{status}")[0] == status
    assert backend.executed[f"GET /status/{status}"] == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_d2_what_takes_longer_than_an_answer_may_is_executed_once(edge: Traefik, backend: Backend, method: str) -> None:
    """Of `app_response_seconds`: here 2, so that the 3 s stand for the 20 of a slow report."""
    assert ask(edge, "/slow/3", method)[0] == 504
    assert backend.executed[f"{method} /slow/3"] == 1


def test_d2_a_server_that_took_a_write_and_went_is_not_asked_again(edge: Traefik, backend: Backend) -> None:
    assert ask(edge, "/slam", "PUT", b"x")[0] == 502
    assert backend.executed["PUT /slam"] == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_d2_what_no_server_took_is_sent_to_another(edge: Traefik, backend: Backend, method: str) -> None:
    """A replica that is gone: its address refuses. Whatever the method, its body included, the other one answers it once."""
    body = None if method == "GET" else b"x" * 5_000_000
    try:
        edge.route([f"http://127.0.0.1:{free_port()}", backend.url])
        edge.confirmed()
        before = backend.executed[f"{method} /taken"]
        answers = [ask(edge, "/taken", method, body) for _ in range(4)]
    finally:
        edge.route([backend.url])
        edge.confirmed()
    assert answers == [(200, str(len(body or b"")).encode())] * 4
    assert backend.executed[f"{method} /taken"] - before == 4
