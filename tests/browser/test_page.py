"""The page in a real browser, against two replicas of the application on one PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from lab.waiting import wait_for
from tests.app.harness import ROOT, Postgres, development, free_port
from tests.browser.page import CHROMIUM, Site, signs_up

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium fonts-wqy-microhei"),
]

# One key in both, as in a deployment: who signs in at one replica is known to the other.
KEYS = "k1:6d1f0b8e3a9c47529e8d5b7c1f02a364e97b85d0c3"


@contextmanager
def replica(database: str) -> Iterator[str]:
    port = free_port()
    environment = development(database, PORT=str(port), JWT_KEYS=KEYS)
    with subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(lambda: answers(port), 30, "the server does not answer")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(30) == 0


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_a_volunteer_signs_up_and_the_other_browser_shows_it(postgres: Postgres, postgres_url: str) -> None:
    """In two scripts; `make prove LINE=page` does it in all six languages, on a cluster."""
    languages = ("fr", "zh-TW")
    screenshots = Path(os.environ.get("SCREENSHOTS", ROOT / ".build" / "screenshots"))
    with ExitStack() as stack:
        first, second = (stack.enter_context(replica(postgres_url)) for _ in range(2))
        api = stack.enter_context(httpx.Client(base_url=first, timeout=30))
        evidence = signs_up(Site(first, second), api, screenshots, languages)
    assert tuple(evidence["languages"]) == languages
    assert len([path for path in screenshots.glob("*.png") if path.name.startswith(languages)]) == 4 * len(languages)
