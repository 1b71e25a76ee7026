"""What one app host should run: its addresses, its project's .env, and what a later release reads back from that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signupflow.release.spec import Endpoints, ReleaseSpec, endpoints
from signupflow.routing import Backend, RouteTable
from tests.deploy.fake_fleet import SPEC

pytestmark = pytest.mark.whole

# Its edge is another host: replicas are published on the private network.
PUBLISHED = replace(SPEC, address="10.0.0.2")


@pytest.mark.parametrize("spec", [SPEC, PUBLISHED, replace(PUBLISHED, replicas=1)], ids=["by name", "published", "one"])
def test_us5_3_a_generation_is_reached_later_as_its_own_files_say(spec: ReleaseSpec) -> None:
    text = spec.environment(7)
    assert endpoints(text) == spec.endpoints(7) == Endpoints(tuple(spec.urls(7)), 8000, "/health", "/ready")
    assert len(spec.urls(7)) == spec.replicas
    assert not set(spec.urls(7)) & set(spec.urls(8)), "two generations that follow each other share no server"
    assert f"COMPOSE_PROJECT_NAME=app-g7\nSIGNUPFLOW_GENERATION=7\nSIGNUPFLOW_CONFIG_HASH={spec.desired}\n" in text


def test_us5_3_published_ports_are_a_range_for_several_replicas() -> None:
    first, last = PUBLISHED.ports(7)[0], PUBLISHED.ports(7)[-1]
    assert PUBLISHED.urls(7) == [f"http://10.0.0.2:{first}", f"http://10.0.0.2:{last}"]
    assert f"\nSIGNUPFLOW_PORTS={first}-{last}\n" in PUBLISHED.environment(7)
    assert f"\nSIGNUPFLOW_PORTS={first}\n" in replace(PUBLISHED, replicas=1).environment(7)
    assert "SIGNUPFLOW_PORTS" not in SPEC.environment(7)


@pytest.mark.parametrize("text", ["", "# SIGNUPFLOW_URLS=http://a:1", "SIGNUPFLOW_URLS=http://a:1\nSIGNUPFLOW_PORT=no"])
def test_us5_3_a_generation_without_such_files_says_nothing(text: str) -> None:
    assert endpoints(text) is None


def test_us5_3_folders_routes_and_the_hash_follow_from_the_specification() -> None:
    assert (SPEC.project(7), SPEC.secret_directory(7)) == ("/opt/app/g7", "/secrets/g7")
    assert "http://a:1" in SPEC.route.render(RouteTable({"web1": (Backend(7, ("http://a:1",)),)}))
    hashes = {SPEC.desired, PUBLISHED.desired, replace(SPEC, port=9).desired, replace(SPEC, image_id="sha256:other").desired}
    assert len(hashes) == 4
