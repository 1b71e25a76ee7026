"""Releases that go wrong, each in its way: the old version serves, every host ends on it, and the first line says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.client import Lab
from signupflow.fleet import ports
from tests import releases
from tests.proofs.healing import wait_until_whole
from tests.proofs.releasing import Evidence, app_hosts, baseline, fqdn, must, one_generation, release, running, versions
from tests.traffic import Traffic, lost_writes

# `app_private_port` of the lab, which is the default.
FIRST_PORT = 18000


@dataclass(frozen=True)
class Case:
    """One way to fail. `why`: what the first line must name. `share`: requests may fail while the canary has its share."""

    name: str
    kind: str
    why: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    after: int | None = None
    share: bool = False


CASES = (
    Case("never gets healthy", "unready", "health", {"app_start_seconds": 8}),
    Case("never listens", "hang", "health", {"app_start_seconds": 8}),
    Case("dies at its start", "exit", "exit code 3"),
    Case("answers 500 from the start", "errors", "verify"),
    # Healthy, asked from inside, and only then, with its first share of the traffic, it begins to fail.
    Case("gets healthy and then answers 500", "errors", "answers were errors", {"app_shift_pause_seconds": 10}, 6, share=True),
    Case("crashes after 20 s", "crash", "before it got traffic", {"app_soak_seconds": 25}),
    Case("ignores SIGTERM", "deaf", "ignores SIGTERM", {"app_soak_seconds": 1, "app_stop_seconds": 10}),
    Case("wrong port", "good", "did not answer on port 9999", {"app_port": 9999, "app_start_seconds": 8}),
    Case("image does not exist", "", "neither pinned by digest nor present"),
    Case("pinned image does not exist", "digest", "not known here"),
    Case("migration fails half way", "migration-fails", "division by zero"),
    Case("migration that the running version cannot live with", "migration-drops", "would break the version that runs"),
    Case("marked migration without a window", "migration-breaks", "maintenance window"),
)


def image_of(case: Case) -> str:
    if not case.kind:
        return "signupflow/nothing:1"
    if case.kind == "digest":
        return "signupflow/nothing:1@sha256:" + "0a" * 32
    return releases.image(case.kind, 90, case.after) if case.after is not None else releases.image(case.kind, 90)


def each_is_rolled_back(lab: Lab, rate: float = 150, cases: tuple[Case, ...] = CASES, again: bool = True) -> Evidence:
    """Every case under load, one after another; `again`: a good release goes through after them."""
    good = releases.image("good", 1)
    version = baseline(lab, good)
    rows, wrong = [], []
    tokens: list[str] = []
    for case in cases:
        image = image_of(case)
        with Traffic(lab, rate=rate, faults=True, tokens=tokens) as traffic:
            tokens = traffic.tokens
            done = release(lab, image, **case.settings)
            ended_on = versions(lab)
        report = traffic.report
        row = {
            "case": case.name,
            "exit": done.code,
            "why": done.why,
            "seconds": done.seconds,
            "sent": report.sent,
            "failed": report.failed,
            "failed_percent": round(100 * report.failed / report.sent, 3),
            "samples": [f"{item.kind} at {item.sent_at:.1f}: {item.error}" for item in report.failures[:5]],
            "lost_writes": len(lost_writes(lab, report)),
            "versions": ended_on,
        }
        rows.append(row)
        # The canary's share of one host's traffic, while it had it; far below what a whole bad release would cost.
        allowed = report.sent * 0.02 if case.share else 0
        sound = done.code != 0 and case.why in done.why and report.failed <= allowed and not row["lost_writes"]
        if not sound or set(map(tuple, ended_on.values())) != {(version,)}:
            wrong.append({**row, "said": done.said[-3000:]})
        wait_until_whole(lab)
        one_generation(lab)
    evidence: Evidence = {"rate": rate, "version_that_serves": version, "cases": rows}
    assert not wrong, {**evidence, "wrong": wrong}
    if again:
        must(release(lab, releases.image("good", 2)))
    return evidence


def second_host_fails(lab: Lab, rate: float = 100, faults: bool = True) -> Evidence:
    """The second host cannot start the release: later ones are never touched, the first is back on the old release."""
    first, second, *later = app_hosts(lab)
    good, other = releases.image("good", 1), releases.image("good", 2)
    version = baseline(lab, good)
    before = {host: running(lab, host) for host in later}
    with squatted(lab, second), Traffic(lab, rate=rate, faults=faults) as traffic:
        done = release(lab, other)
    report = traffic.report
    steps = {host: [step for name, step in done.steps if name == fqdn(lab, host)] for host in app_hosts(lab)}
    evidence: Evidence = {
        "order": app_hosts(lab),
        "exit": done.code,
        "why": done.why,
        "steps": steps,
        "versions": versions(lab),
        "later_hosts_unchanged": before == {host: running(lab, host) for host in later},
        "sent": report.sent,
        "failed": report.failed,
        "samples": [str(item) for item in report.failures[:5]],
        "lost_writes": len(lost_writes(lab, report)),
    }
    assert done.code != 0, evidence
    assert fqdn(lab, second) in done.why, evidence
    assert not any(steps[host] for host in later), evidence
    assert evidence["later_hosts_unchanged"], evidence
    assert set(map(tuple, evidence["versions"].values())) == {(version,)}, evidence
    # Its own rollout had ended well; then it was rolled back, which is a rollout of its own.
    assert steps[first].count("done") == 2, evidence
    assert report.failed == 0, evidence
    assert not evidence["lost_writes"], evidence
    one_generation(lab)
    return evidence


@contextmanager
def squatted(lab: Lab, host: str) -> Iterator[None]:
    """Somebody else has the ports that the host's next generation needs."""
    (generation, _), *_ = running(lab, host)
    port = ports(FIRST_PORT, generation + 1, 1)[0]
    unit = f"squat-{port}"
    listen = f"python3 -m http.server --directory /var/empty --bind {lab.address(host)} {port}"
    lab.ssh(host, f"sudo mkdir -p /var/empty && sudo systemd-run --quiet --unit={unit} {listen}")
    try:
        yield
    finally:
        lab.ssh(host, f"sudo systemctl stop {unit}")
