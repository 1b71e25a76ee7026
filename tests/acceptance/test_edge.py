"""What a client on the internet meets."""

from __future__ import annotations

import json
import socket
import ssl

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence, Short
from tests.proofs import attack, edge

pytestmark = pytest.mark.lab


@pytest.mark.proof("certificates", part="redirects")
def test_us4_1_fr016_http_redirects_to_https(lab: Lab, evidence: Evidence) -> None:
    evidence(edge.http_redirects_to_https(lab))


@pytest.mark.proof("certificates", part="certificates")
def test_us4_2_fr014_us4_4_fr017_each_domain_has_its_own_certificate(lab: Lab, evidence: Evidence) -> None:
    evidence(edge.each_domain_has_its_certificate(lab))


@pytest.mark.proof("renewal")
def test_us4_2_fr014_fr015_certificates_renew_with_no_failed_request(lab: Lab, short: Short, evidence: Evidence) -> None:
    evidence(edge.renewal_under_load(lab, **short(rate=20, seconds=100)))


@pytest.mark.proof("ports")
def test_sec002_only_ssh_http_and_https_answer_from_outside(lab: Lab, short: Short, evidence: Evidence) -> None:
    evidence(edge.only_public_ports_answer(lab, **short(ports=[*range(1, 10_000), 28_888, 29_999])))


def test_sec002_answers_carry_security_headers(lab: Lab) -> None:
    headers = lab.https(lab["domains"][0], "/health/live").headers
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers
    # The app's own, which the edge must not write over.
    assert headers["referrer-policy"] == "no-referrer"
    assert lab.https(lab["domains"][0], "/login").headers["referrer-policy"] == "same-origin"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_sec002_tls_1_1_is_refused_and_1_2_is_not(lab: Lab) -> None:
    domain = lab["domains"][0]
    for version, welcome in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
        context = lab.tls()
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
        # OpenSSL refuses 1.1 on this side as well, unless its security level is lowered.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with socket.create_connection((lab.address(), 443), 5) as raw:
            if welcome:
                context.wrap_socket(raw, server_hostname=domain).close()
            else:
                with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
                    context.wrap_socket(raw, server_hostname=domain)


def test_fr003_fr018_us7_1_health_over_https_names_the_images_version(lab: Lab) -> None:
    """The version is the image's, read from its label by the Docker Engine, and unknown names get no answer."""
    health = lab.https(lab["domains"][0], "/health").json()
    container = lab.ssh("h1", "sudo docker ps -q --filter label=org.signupflow.app=signupflow | head -1").strip()
    label = lab.ssh("h1", f"sudo docker inspect --format '{{{{json .Config.Labels}}}}' {container}")
    assert health["version"] == json.loads(label)["org.opencontainers.image.version"]
    assert set(health["components"]) == {"api", "database", "storage"}
    assert all(component["status"] == "healthy" for component in health["components"].values())
    assert health["checks"] == {"database": "passed", "diskSpace": "passed", "memory": "passed"}


def test_sec002_an_unknown_name_is_not_served(lab: Lab) -> None:
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        lab.https("unknown.example.org", "/health")


@pytest.mark.long
@pytest.mark.proof("attack", part="others")
def test_d1_whatever_one_address_sends_others_are_served(lab: Lab, short: Short, evidence: Evidence) -> None:
    evidence(attack.others_are_served(lab, **short(connections=300, seconds=8, rate=20, timed=False)))
