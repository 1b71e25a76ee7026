"""The pre-flight: what is asked of whom before anything changes, and what is said when it cannot end well."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploys import release
from facts.host_files import HostFile, ManagedFile
from facts.release import CertifiedDomains, Generations
from signupflow.release import certificates
from signupflow.routing import Serving, routed_domains, routers
from tests.deploy.standing import ONE, standing

__all__ = ["standing"]  # a fixture


def files(**content: str) -> Any:
    """A ManagedFile fact: what each path that ends so holds."""

    def found(path: str) -> HostFile:
        text = next((text for name, text in content.items() if path.endswith(name.replace("_", "-") + ".yaml")), None)
        return HostFile(exists=text is not None, content=text)

    return found


SERVES = Serving().having("web1", 1, ["http://app-g1-app-1:8000"]).render("signupflow", "/health", "a.helpers.org")


def serving(fleet: Any, domains: list[str], certified: list[str]) -> None:
    """The fleet's first host serves a release from before by these domains."""
    fleet.facts["web1"] = {
        ManagedFile: files(app_signupflow=routers("signupflow", domains, 60), app_signupflow_servers=SERVES),
        CertifiedDomains: frozenset(certified),
        Generations: {1: "another"},
    }


def test_a11_only_domains_that_serve_now_are_asked_before_a_release(standing: Any) -> None:
    fleet = standing(ONE)
    serving(fleet, ["a.helpers.org"], ["a.helpers.org"])
    with fleet.on("web1"):
        checks = release.checks()
    assert [entry.domain for entry in checks.entries] == ["a.helpers.org"], "b.helpers.org has no route yet, so no certificate"


def test_a11_a_domain_whose_certificate_never_came_blocks_no_later_release(standing: Any) -> None:
    fleet = standing(ONE)
    serving(fleet, ["a.helpers.org", "b.helpers.org"], ["b.helpers.org"])
    with fleet.on("web1"):
        assert [entry.domain for entry in release.checks().entries] == ["b.helpers.org"]
        wanted = release.desired(fleet.inventory.get_host("web1"))
    assert [entry.domain for entry in wanted.entries] == ["b.helpers.org"], "neither the probe nor the smoke step judges the CA"


def test_a11_what_serves_without_any_certificate_is_still_refused(standing: Any) -> None:
    fleet = standing(ONE)
    serving(fleet, ["a.helpers.org"], [])
    with fleet.on("web1"):
        assert [entry.domain for entry in release.checks().entries] == ["a.helpers.org"]


def test_a11_routes_say_which_domains_are_served_and_what_is_none_serves_nobody() -> None:
    assert routed_domains(routers("app", ["a.helpers.org", "b.helpers.org"], 60)) == {"a.helpers.org", "b.helpers.org"}
    for text in (None, "", "{", "http: {}", "[]", "http: {routers: {x: {}}}"):
        assert routed_domains(text) == frozenset()


def test_a11_of_traefik_s_certificates_only_the_names_are_read(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    rows = [{"domain": {"main": name}, "certificate": "c", "key": "secret"} for name in ("a.helpers.org", "b.helpers.org")]
    held = {"acme": {"Account": {"PrivateKey": "secret"}, "Certificates": rows}}
    fact = CertifiedDomains()
    for text in (json.dumps(held), json.dumps(held, indent=2)):
        path.write_text(text)
        done = subprocess.run(["sh", "-c", str(fact.command(str(path)))], capture_output=True, text=True, check=True)
        assert "secret" not in done.stdout
        assert fact.process(done.stdout.splitlines()) == {"a.helpers.org", "b.helpers.org"}
    gone = subprocess.run(["sh", "-c", str(fact.command("/nowhere"))], capture_output=True, text=True, check=True)
    assert fact.process(gone.stdout.splitlines()) == frozenset()


def failed(kind: str, said: str) -> str:
    error = (
        "unable to generate a certificate for the domains [b.helpers.org]: error: one or more domains had a problem:\n"
        f"[b.helpers.org] invalid authorization: acme: error: 400 :: urn:ietf:params:acme:error:{kind} :: {said}\n"
    )
    return json.dumps({"level": "error", "message": f"{certificates.FAILED} for domains", "error": error})


@pytest.mark.parametrize(
    ("log", "leads_to", "said"),
    [
        (failed("dns", "DNS problem: NXDOMAIN looking up A"), [],
         "says: DNS problem: NXDOMAIN looking up A: make the record `b.helpers.org. A 192.0.2.1`"),
        (failed("connection", "Timeout"), ["192.0.2.1"], "the CA says: Timeout: open port 80 of 192.0.2.1"),
        (failed("rateLimited", "too many"), ["192.0.2.1"], "orders no more for now (too many)"),
        ("not json\n" + failed("dns", "no").replace("b.helpers", "ab.helpers"), [], "in DNS it leads nowhere: make the record"),
        ("", ["192.0.2.9"], "in DNS it leads to 192.0.2.9: make the record `b.helpers.org. A 192.0.2.1`"),
        ("", ["192.0.2.1"], "see `docker logs signupflow-traefik`"),
    ],
)  # fmt: skip
def test_a11_a_certificate_that_does_not_come_says_what_is_missing(log: str, leads_to: list[str], said: str) -> None:
    found = certificates.problem(log, "b.helpers.org")
    line = certificates.missing("b.helpers.org", "192.0.2.1", leads_to, found)
    assert said in line
    assert "\n" not in line
