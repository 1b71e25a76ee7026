"""The operator's day: going back, restarting, scaling, kept plans, the maintenance page, upgrades; mostly under load."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab import engine
from lab.client import ROOT, Lab
from tests import releases
from tests.proofs.healing import wait_until_whole
from tests.proofs.migrations import psql, revision
from tests.proofs.releasing import (
    QUICK,
    Evidence,
    Released,
    app_hosts,
    baseline,
    container_ids,
    fqdn,
    must,
    nothing_to_do,
    one_generation,
    options,
    records,
    release,
    running,
    versions,
)
from tests.traffic import Traffic, lost_writes
from tests.traffic.report import Report

# Half of the 100 requests/s that are wanted: client, five hosts and an operator on two cores answer no more in time.
RATE = 50.0
GOAL_SECONDS = 60
CONTRACT_SECONDS = 300


def operate(lab: Lab, deploy: str, **settings: Any) -> Released:
    """Run one of the operator's deploys, with the lab's quick settings."""
    started = time.monotonic()
    done = lab.pyinfra("-y", *options(**{**QUICK, **settings}), deploy=f"deploys/{deploy}.py", check=False, politely=True)
    return Released(done.returncode, done.stdout + done.stderr, round(time.monotonic() - started, 1))


def signupflow(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """The program, as an operator calls it."""
    command = [sys.executable, "-m", "signupflow", *words]
    if words[0] != "apply":
        command += ["--inventory", lab["inventory"]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)


def counted(report: Report) -> Evidence:
    """What became of the requests, with the first that failed."""
    return {"sent": report.sent, "failed": report.failed, "samples": [str(item) for item in report.failures[:5]]}


def rolled_back_after_a_migration(lab: Lab, rate: float = RATE) -> Evidence:
    """After a compatible change of the schema: back without a lost request."""
    baseline(lab, releases.image("good", 1))
    was = revision(lab)
    must(release(lab, releases.image("migration-adds")))
    evidence = rolled_back(lab, rate)
    psql(lab, f"alter table events drop column room; update alembic_version set version_num = '{was}';")
    return evidence


def rolled_back(lab: Lab, rate: float = RATE) -> Evidence:
    """From the release that serves to the one before it, 1.1.0-good; that is released first where it is not the one before."""
    if [record.version for record in records(lab)[-2:-1]] != ["1.1.0-good"]:
        baseline(lab, releases.image("good", 1))
        baseline(lab, releases.image("good", 2))
    with Traffic(lab, rate=rate, faults=True) as traffic:
        back = must(operate(lab, "rollback"))
        wait_until_whole(lab)
    report, record = traffic.report, records(lab)[-1]
    per_host = {host: round(sum(steps.values()), 1) for host, steps in record.steps.items()}
    evidence: Evidence = {
        "seconds": back.seconds,
        "seconds_of_each_host": per_host,
        **counted(report),
        "lost_writes": len(lost_writes(lab, report)),
        "probe": back.probe,
        "recorded_as": record.kind,
        "versions": versions(lab),
    }
    assert report.failed == 0, evidence
    assert not evidence["lost_writes"], evidence
    assert {version for found in evidence["versions"].values() for version in found} == {"1.1.0-good"}, evidence
    assert record.kind == "rollback", evidence
    assert max(per_host.values()) < CONTRACT_SECONDS, evidence
    evidence["under_the_goal_of_60_s_a_host"] = max(per_host.values()) < GOAL_SECONDS
    one_generation(lab)
    return evidence


def rollback_refused(lab: Lab) -> Evidence:
    """A breaking migration is in: the version before cannot run, and is not tried."""
    good = releases.image("good", 1)
    baseline(lab, good)
    was = revision(lab)
    must(release(lab, releases.image("migration-breaks"), allow_interrupts="schema"))
    before = {host: container_ids(lab, host) for host in app_hosts(lab)}
    done = operate(lab, "rollback")
    after = {host: container_ids(lab, host) for host in app_hosts(lab)}
    psql(
        lab,
        f"alter table events add column occurrence_sequence integer; update alembic_version set version_num = '{was}';",
    )
    must(release(lab, good, allow_unhealthy=True))
    evidence: Evidence = {"exit": done.code, "why": done.why, "containers_untouched": before == after}
    assert done.code != 0, evidence
    assert releases.migrations("breaks")[-1].revision in done.why, evidence
    assert "Nothing was changed" in done.why, evidence
    assert evidence["containers_untouched"], evidence
    return evidence


def restarted(lab: Lab, rate: float = RATE) -> Evidence:
    """New containers of the same version on every host, and no lost request; what was restarted is what production wants."""
    image = releases.image("good", 1)
    baseline(lab, image)
    before = {host: container_ids(lab, host) for host in app_hosts(lab)}
    with Traffic(lab, rate=rate, faults=True) as traffic:
        seconds = must(operate(lab, "restart")).seconds
        after = {host: container_ids(lab, host) for host in app_hosts(lab)}
    report = traffic.report
    evidence: Evidence = {
        "seconds": seconds,
        **counted(report),
        "versions": versions(lab),
        "kind": records(lab)[-1].kind,
    }
    assert report.failed == 0, evidence
    assert all(not set(before[host]) & set(after[host]) for host in before), evidence
    assert evidence["kind"] == "restart", evidence
    nothing_to_do(lab, image)
    return evidence


def scaled(lab: Lab, image: str, rate: float = RATE, faults: bool = True) -> Evidence:
    """More replicas of `image`, which serves, on every host, and fewer again: none lost, nothing left for production to do."""
    seconds = {}
    with Traffic(lab, rate=rate, faults=faults) as traffic:
        seconds["to 2"] = must(operate(lab, "scale", app_replicas=2)).seconds
        doubled = {host: len(container_ids(lab, host)) for host in app_hosts(lab)}
        seconds["to 1"] = must(operate(lab, "scale", app_replicas=1)).seconds
        single = {host: len(container_ids(lab, host)) for host in app_hosts(lab)}
    report = traffic.report
    evidence: Evidence = {
        "seconds": seconds,
        **counted(report),
        "kinds": [record.kind for record in records(lab)[-2:]],
        "replicas_when_scaled": doubled,
    }
    assert report.failed == 0, evidence
    assert set(doubled.values()) == {2}, evidence
    assert set(single.values()) == {1}, evidence
    assert evidence["kinds"] == ["scale", "scale"], evidence
    nothing_to_do(lab, image)
    return evidence


def plans_are_kept(lab: Lab, folder: Path) -> Evidence:
    """A plan runs when nothing has changed since; with one host changed in between it is refused, and the host named."""
    baseline(lab, releases.image("good", 1))
    words = [f"app_image={releases.image('good', 2)}", *(word for word in options(**QUICK) if word != "--data")]
    data = [word for pair in words for word in ("--data", pair)]
    path = folder / "plan.json"
    planned = signupflow(lab, "plan", "--output", str(path), *data)
    assert planned.returncode == 0, planned.stderr
    applied = signupflow(lab, "apply", str(path))
    reached = versions(lab)
    further = [word.replace(releases.image("good", 2), releases.image("good", 3)) for word in data]
    again = signupflow(lab, "plan", "--output", str(path), *further)
    assert again.returncode == 0, again.stderr
    changed = app_hosts(lab)[-1]
    lab.ssh(changed, "echo '# by hand' | sudo tee -a /etc/systemd/journald.conf.d/10-signupflow.conf >/dev/null")
    refused = signupflow(lab, "apply", str(path))
    untouched = versions(lab)
    lab.pyinfra("-y", *data)
    why = next((line for line in refused.stderr.splitlines() if line.startswith("Error:")), "")
    evidence: Evidence = {
        "applied_exit": applied.returncode,
        "versions_after_apply": reached,
        "changed_by_hand": fqdn(lab, changed),
        "refused_exit": refused.returncode,
        "why": why,
        "versions_after_refusal": untouched,
    }
    assert applied.returncode == 0, applied.stderr[-3000:]
    assert {version for found in reached.values() for version in found} == {"1.2.0-good"}, evidence
    assert refused.returncode == 2, refused.stderr[-3000:]
    assert why.startswith(f"Error: {fqdn(lab, changed)} changed since the plan was made"), evidence
    assert untouched == reached, evidence
    return evidence


def maintained(lab: Lab) -> Evidence:
    """On: 503 with Retry-After and the page on every domain, health visible, a second run changes nothing. Off: as before."""
    on = must(operate(lab, "maintenance", maintenance="on", reason="moving the database", maintenance_retry_seconds=120))
    twice = lab.pyinfra(
        "-y", "--json", *options(maintenance="on", reason="moving the database", maintenance_retry_seconds=120),
        deploy="deploys/maintenance.py",
    )  # fmt: skip
    changed = [row["name"] for row in json.loads(twice.stdout)["results"]["operations"] if row["success"]]
    shown = {domain: lab.https(domain, "/") for domain in lab["domains"]}
    posted = lab.https(lab["domains"][0], "/api/v1/sessions", "POST", {})
    health = lab.https(lab["domains"][0], "/health")
    status = signupflow(lab, "status")
    off = must(operate(lab, "maintenance", maintenance="off"))
    back = lab.https(lab["domains"][0], "/")
    evidence: Evidence = {
        "seconds": {"on": on.seconds, "off": off.seconds},
        "status": {domain: answer.status for domain, answer in shown.items()},
        "retry_after": {domain: answer.headers.get("retry-after") for domain, answer in shown.items()},
        "health": health.status,
        "changed_by_a_second_run": changed,
        "after": back.status,
    }
    assert set(evidence["status"].values()) == {503}, evidence
    assert set(evidence["retry_after"].values()) == {"120"}, evidence
    assert all(b"back in a few minutes" in answer.body for answer in shown.values()), shown
    assert posted.status == 503, posted
    assert health.status == 200, evidence
    assert not changed, evidence
    assert "maintenance page is up: moving the database" in status.stdout, status.stdout + status.stderr
    assert back.status == 200, evidence
    left = lab.ssh(lab.the("edge"), "sudo docker ps -aq --filter name=signupflow-maintenance; ls /opt/signupflow")
    assert "maintenance" not in left, left
    return evidence


def upgraded(lab: Lab, rate: float = RATE) -> Evidence:
    """Docker, host by host: nothing fails. Traefik and PostgreSQL: what it costs is counted and printed."""
    baseline(lab, releases.image("good", 1))
    evidence: Evidence = {}
    changed: dict[str, dict[str, Any]] = {
        "docker": {"upgrade_again": True},
        "postgres": {"postgres_image": _variant("signupflow/postgres:17", "signupflow/postgres:next")},
        "traefik": {"traefik_image": _pushed(lab)},
    }
    for what, settings in changed.items():
        with Traffic(lab, rate=rate, faults=True) as traffic:
            done = must(operate(lab, "upgrade", upgrade=what, **settings))
            wait_until_whole(lab)
        report = traffic.report
        moments = [failure.sent_at for failure in report.failures]
        evidence[what] = {
            "seconds": done.seconds,
            "sent": report.sent,
            "failed": report.failed,
            "seconds_from_first_to_last_failure": round(max(moments) - min(moments), 2) if moments else 0.0,
            "probe": done.probe,
            "lost_writes": len(lost_writes(lab, report)),
        }
    # As every other proof expects it.
    lab.pyinfra("-y", *options(**QUICK, app_image=releases.image("good", 1), allow_interrupts="traefik,postgres"))
    wait_until_whole(lab)
    assert evidence["docker"]["failed"] == 0, evidence
    assert all(row["lost_writes"] == 0 for row in evidence.values()), evidence
    assert [record.kind for record in records(lab)[-3:]].count("upgrade") >= 2, evidence
    return evidence


def _variant(image: str, tag: str) -> str:
    """The same image under another id, as a minor release of it would be."""
    text = f"FROM {image}\nLABEL org.signupflow.variant=next\n"
    subprocess.run(
        [engine.docker_client(), "build", "--quiet", "--tag", tag, "-"], input=text, text=True, check=True, capture_output=True
    )
    return tag


def _pushed(lab: Lab) -> str:
    """A variant of Traefik's image in the lab's registry, pinned by its digest there."""
    name = lab["traefik_image"].partition("@")[0]
    local = f"{lab['registry_push']}/library/{name.partition(':')[0]}:next"
    _variant(lab["traefik_image"].partition("@")[0], local)
    engine.docker("push", "--quiet", local)
    found = json.loads(engine.docker("image", "inspect", local).stdout)[0]["RepoDigests"]
    digest = next(item.partition("@")[2] for item in found if item.startswith(local.rpartition(":")[0]))
    return f"{name}@{digest}"


def looked_at(lab: Lab) -> Evidence:
    """Status, history and doctor say what is, as text and as JSON; a record that was altered is noticed."""
    if len(records(lab)) < 2:
        baseline(lab, releases.image("good", 2))
        baseline(lab, releases.image("good", 1))
    (version,) = {version for found in versions(lab).values() for version in found}
    status = json.loads(signupflow(lab, "status", "--json").stdout)
    screen = signupflow(lab, "status")
    history = signupflow(lab, "history", "--json")
    doctor = signupflow(lab, "doctor")
    path = "/var/lib/signupflow/releases/ledger.jsonl"
    lab.ssh(lab.the("edge"), f"sudo cp {path} {path}.kept && sudo sed -i '0,/released/s//releasad/' {path}")
    damaged = signupflow(lab, "history")
    lab.ssh(lab.the("edge"), f"sudo mv {path}.kept {path}")
    evidence: Evidence = {
        "healthy": status["healthy"],
        "hosts": [host["name"] for host in status["hosts"]],
        "records": len(history.stdout.splitlines()),
        "doctor_exit": doctor.returncode,
        "damaged_exit": damaged.returncode,
        "damaged": next((line for line in damaged.stderr.splitlines() if line.startswith("Error:")), ""),
    }
    assert status["healthy"], status
    assert evidence["hosts"] == [item["fqdn"] for item in lab["hosts"]], evidence
    assert "healthy" in screen.stdout, screen.stderr
    assert version in screen.stdout
    assert doctor.returncode == 0, doctor.stderr
    assert "all checks passed" in doctor.stdout
    assert damaged.returncode == 2, damaged
    assert "the history is damaged" in evidence["damaged"], evidence
    assert all(len(running(lab, host)) == 1 for host in app_hosts(lab))
    return evidence
