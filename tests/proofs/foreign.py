"""An image that knows nothing of SignUpFlow is deployed by group data alone."""

from __future__ import annotations

from typing import Any

from lab import engine
from lab.client import ROOT, Lab
from tests.proofs.convergence import dry_run_is_exact, second_run_changes_nothing

Evidence = dict[str, Any]
GROUP_DATA = ("--group-data", "tests/foreign/group_data")


def deploys_by_group_data_alone(lab: Lab) -> Evidence:
    """Build tests/foreign, deploy it beside what runs, under the lab's domains, and ask it; run again; undo."""
    engine.build(ROOT / "tests" / "foreign", "greeter:local")
    folder = "/opt/signupflow/traefik/config/dynamic"
    move = "for file in {folder}/app-signupflow*.yaml{old}; do test ! -f $file || mv $file {new}; done"
    aside = "sudo sh -c '" + move.format(folder=folder, old="", new="$file.aside") + "'"
    back = (
        f"sudo sh -c 'rm -f {folder}/app-greeter*.yaml; " + move.format(folder=folder, old=".aside", new="${file%.aside}") + "'"
    )
    lab.ssh("h1", aside)
    try:
        exact = dry_run_is_exact(lab, *GROUP_DATA)
        again = second_run_changes_nothing(lab, *GROUP_DATA)
        answers = {domain: lab.https(domain, "/").body.decode() for domain in lab["domains"]}
        replicas = lab.ssh("h1", "sudo docker ps --filter label=org.signupflow.app=greeter --format '{{.Names}}' | sort").split()
        secret = lab.ssh("h1", "sudo stat -c '%a %U' /etc/signupflow/secrets/app-greeter/g1/app.env").strip()
    finally:
        lab.ssh("h1", back)
        lab.ssh("h1", "sudo docker ps -aq --filter label=org.signupflow.app=greeter | xargs -r sudo docker rm -f")
        left = "/opt/signupflow/app-greeter /etc/signupflow/secrets/app-greeter /var/lib/signupflow/releases/greeter.journal"
        lab.ssh("h1", f"sudo rm -rf {left}")
        lab.pyinfra("-y")
    evidence = {"first": exact, "second": again, "answers": answers, "replicas": replicas, "env_file": secret}
    assert set(answers.values()) == {"hello from lab for $5, database given"}, evidence
    assert replicas == ["greeter-g1-app-1", "greeter-g1-app-2"], evidence
    return evidence
