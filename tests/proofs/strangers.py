"""What outsiders do first: a tag that looks like a number, a domain more, another app or environment on a host that has one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from lab import engine
from lab.client import ROOT, Lab
from tests import releases
from tests.proofs.releasing import options, running

Evidence = dict[str, Any]
# Each is another as text, and the second is the first as a number (1.10 == 1.1).
TAGS = ("1.1", "1.9", "1.10")


def signupflow(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """`signupflow WORDS` as a person types it."""
    command = [sys.executable, "-m", "signupflow", *words]
    environment = {**os.environ, "SIGNUPFLOW_INVENTORY": lab["inventory"], "PYINFRA_PROGRESS": "off"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", check=False)


def tags_stay_text(lab: Lab) -> Evidence:
    """Release 1.1, 1.9 and 1.10 one after another; then roll back to 1.9 by name."""
    for tag in TAGS:
        releases.image("good", named=tag)
    served: list[list[str]] = []
    for words in (*(("deploy", tag) for tag in TAGS), ("rollback", "1.9")):
        done = signupflow(lab, *words, "-y")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        served.append(sorted(version for _, version in running(lab, "h1")))
    evidence = {"asked": [*TAGS, "back to 1.9"], "served": served}
    assert served == [["1.1"], ["1.9"], ["1.10"], ["1.9"]], evidence
    return evidence


def a_third_domain_serves(lab: Lab) -> Evidence:
    """Added to an app that serves: one run, and it answers with a certificate of its own while the others keep theirs."""
    domains = [*lab["domains"], str(lab["hosts"][0]["fqdn"])]
    before = {domain: lab.certificate(domain)["serialNumber"] for domain in lab["domains"]}
    run = lab.pyinfra("-y", *options(domains=domains), check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    lab.wait_for_health(domains[-1], seconds=60)
    certificates = {domain: lab.certificate(domain) for domain in domains}
    names = {domain: [value for _, value in found["subjectAltName"]] for domain, found in certificates.items()}
    evidence = {
        "domains": len(domains),
        "names": names,
        "first_ones_answer": all(lab.https(domain, "/health").status == 200 for domain in before),
    }
    lab.pyinfra("-y")  # the domain leaves again
    assert all(found == [domain] for domain, found in names.items()), evidence
    assert certificates[domains[-1]]["serialNumber"] not in before.values(), evidence
    assert evidence["first_ones_answer"], evidence
    return evidence


def others_are_refused(lab: Lab) -> Evidence:
    """Another app, and another environment of this one, on this host: refused by name, dry and not, and nothing is touched."""
    engine.build(ROOT / "tests" / "foreign", "greeter:local")
    cases = {
        "another app": ("--group-data", "tests/foreign/group_data"),
        "another environment": options(environment="staging"),
    }
    refused: dict[str, dict[str, Any]] = {}
    for case, words in cases.items():
        for how in ("--dry", "-y"):
            before = _state(lab)
            run = lab.pyinfra(how, *words, check=False)
            said = run.stdout + run.stderr
            line = next((line for line in said.splitlines() if " belongs to " in line), "")
            found = {"exit": run.returncode, "line": line.strip(), "untouched": _state(lab) == before}
            refused[f"{case}, {how}"] = found
            assert found["exit"] != 0, said[-3000:]
            assert f"{lab['hosts'][0]['fqdn']} belongs to signupflow of lab" in line, said[-3000:]
            assert found["untouched"], found
            assert "Traceback" not in said, said[-3000:]
    return {"refused": refused}


def _state(lab: Lab) -> str:
    """What runs on the host, and every file there that a deploy writes, with its size and time."""
    files = "sudo find /etc /opt/signupflow /var/lib/signupflow/releases -xdev -type f -printf '%p %s %T@\\n' | sort"
    return lab.ssh("h1", f"sudo docker ps -q --no-trunc | sort; {files}")
