"""An image that knows nothing of SignUpFlow is deployed by group data alone."""

from __future__ import annotations

from typing import Any

from lab import engine
from lab.client import ROOT, Lab
from tests.proofs.convergence import dry_run_is_exact, second_run_changes_nothing

Evidence = dict[str, Any]
GROUP_DATA = ("--group-data", "tests/foreign/group_data")


def deploys_by_group_data_alone(lab: Lab) -> Evidence:
    """Build tests/foreign, deploy it on a host that has nothing yet, and ask it; run again."""
    engine.build(ROOT / "tests" / "foreign", "greeter:local")
    exact = dry_run_is_exact(lab, *GROUP_DATA)
    again = second_run_changes_nothing(lab, *GROUP_DATA)
    answers = {domain: lab.https(domain, "/").body.decode() for domain in lab["domains"]}
    replicas = lab.ssh("h1", "sudo docker ps --filter label=org.signupflow.app=greeter --format '{{.Names}}' | sort").split()
    secret = lab.ssh("h1", "sudo stat -c '%a %U' /etc/signupflow/secrets/app-greeter/g1/app.env").strip()
    evidence = {"first": exact, "second": again, "answers": answers, "replicas": replicas, "env_file": secret}
    assert set(answers.values()) == {"hello from lab for $5, database given"}, evidence
    assert replicas == ["greeter-g1-app-1", "greeter-g1-app-2"], evidence
    return evidence
