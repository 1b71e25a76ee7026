"""The first tenant routes, used over HTTPS as a client would."""

from __future__ import annotations

import pytest
from rich.console import Console

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.proofs import tenants
from tests.tenants import event, organisation

pytestmark = pytest.mark.lab


@pytest.mark.full
@pytest.mark.proof("tenants")
def test_fr002_no_route_shows_or_changes_another_organisations_data(cluster: Lab, evidence: Evidence) -> None:
    evidence(tenants.nothing_leaks(cluster, Console()))


def test_fr002_two_organisations_never_see_each_others_events(lab: Lab) -> None:
    domain = lab["domains"][0]
    (_, ours), (_, theirs) = organisation(lab), organisation(lab)
    mine = event(lab, ours)
    assert lab.https(domain, f"/api/v1/events/{mine['id']}", token=ours).status == 200
    assert lab.https(domain, f"/api/v1/events/{mine['id']}", token=theirs).status == 404
    assert mine["id"] not in lab.https(domain, "/api/v1/events", token=theirs).body.decode()
    assert lab.https(domain, f"/api/v1/events/{mine['id']}", "DELETE", token=theirs).status == 404
    assert lab.https(domain, f"/api/v1/events/{mine['id']}/sign-ups", "POST", {}, theirs).status == 404
    assert lab.https(domain, f"/api/v1/events/{mine['id']}/sign-ups", "POST", {}, ours).status == 201
