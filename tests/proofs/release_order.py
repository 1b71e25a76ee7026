"""Who goes when: two deployments at once, the inventory's order, the parts of a rollout's time, and ten releases in a row."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from benchmarks.quiet import share_busy
from lab import engine
from lab.client import Lab
from signupflow import archives
from signupflow.images import layers
from tests import releases
from tests.proofs.healing import wait_until_whole
from tests.proofs.releasing import (
    QUICK,
    Evidence,
    Released,
    app_hosts,
    baseline,
    fqdn,
    must,
    nothing_to_do,
    one_generation,
    options,
    records,
    release,
    started,
    versions,
)
from tests.traffic import Traffic, lost_writes


def ten_in_a_row(
    lab: Lab,
    count: int = 10,
    rate: float = 150,
    least: int = 50_000,
    compare_p99: bool = True,
    beside: Evidence | None = None,
    **settings: Any,
) -> Evidence:
    """Release after release under mixed traffic: nothing fails, every acknowledged write is a row, and it stays quick.

    `beside` is what else belongs to the evidence, also when this does not hold.
    """
    baseline(lab, releases.image("good", 1))
    images = [releases.image("good", 2 + number) for number in range(count)]
    for image in images:
        _saved(image, over=releases.image("good", 1))
    with Traffic(lab, rate=rate, faults=True, seconds=3500) as traffic:
        time.sleep(20 if compare_p99 else 3)
        busy = share_busy(20 if compare_p99 else 2)
        quiet = (0.0, traffic.now())
        runs, spans = [], []
        for image in images:
            began = traffic.now()
            runs.append(must(release(lab, image, deploy="deploys/production.py", **settings)))
            spans.append((began, traffic.now()))
        # So many as were promised, also when the machine is quick.
        while (traffic.now() - quiet[1]) * rate < least:
            time.sleep(1)
    report = traffic.report
    before = traffic.report_between(*quiet)
    during = traffic.report_between(spans[0][0], spans[-1][1])
    evidence: Evidence = {
        **(beside or {}),
        "releases": count,
        "app_hosts": len(app_hosts(lab)),
        "settings": {**QUICK, **settings},
        "rate": rate,
        "share_of_the_machine_busy_before": busy,
        "traffic": report.as_dict(),
        "p99_ms_before": before.short_ms(0.99),
        "p99_ms_during": during.short_ms(0.99),
        "p50_ms_before": before.short_ms(0.5),
        "p50_ms_during": during.short_ms(0.5),
        "p99_ms_of_each_release": [traffic.report_between(*span).short_ms(0.99) for span in spans],
        "seconds_of_each_release": [run.seconds for run in runs],
        "probe_of_each_release": [run.probe for run in runs],
        "acknowledged_writes": len(report.writes),
        "lost_writes": len(lost_writes(lab, report)),
    }
    assert report.failed == 0, evidence
    assert report.sent >= least, evidence
    assert all(run.printed == run.taken for run in runs), [(run.printed, run.taken) for run in runs]
    assert not evidence["lost_writes"], evidence
    assert all(" 0 failed " in run.probe for run in runs), evidence
    assert not compare_p99 or evidence["p99_ms_during"] <= 2 * evidence["p99_ms_before"], evidence
    one_generation(lab)
    return evidence


def _saved(image: str, over: str) -> None:
    """Save what of an image will be sent. A controller has a machine of its own; here the engine that does this is beside the
    servers, and it is not the release whose p99 it would be."""
    found = engine.image_id(image)
    assert found
    archives.saved(found, archives.held(layers(image), [layers(over)]))


def busy_at(lab: Lab, rate: float) -> float:
    """The share of the machine that this traffic alone takes, with no release."""
    with Traffic(lab, rate=rate, faults=True, seconds=120):
        time.sleep(10)
        return share_busy(20)


def two_at_once(lab: Lab) -> Evidence:
    """Two deployments started at the same moment, of different versions: exactly one runs, the other names its owner."""
    baseline(lab, releases.image("good", 1))
    images = [releases.image("good", number) for number in (2, 3)]
    with started(lab, images[0], reason="the first of two") as one, started(lab, images[1], reason="the second of two") as other:
        said = [run.communicate(timeout=600)[0] for run in (one, other)]
    codes = [one.returncode, other.returncode]
    why = [next((line for line in text.splitlines() if line.startswith("Error: ")), "") for text in said]
    evidence: Evidence = {"exits": codes, "why": why, "versions": versions(lab)}
    assert sorted(code != 0 for code in codes) == [False, True], (evidence, said)
    refused = codes.index(next(code for code in codes if code))
    assert "@" in why[refused], evidence
    assert "of two" in why[refused], evidence
    expected = f"1.{2 + (1 - refused)}.0-good"
    assert {version for found in evidence["versions"].values() for version in found} == {expected}, evidence
    nothing_to_do(lab, images[1 - refused])
    return evidence


def order_is_kept(lab: Lab, plans: int = 20, runs: int = 5) -> Evidence:
    """Dry plans and real runs name and take the hosts in the inventory's order, which is not the alphabet's."""
    order = [fqdn(lab, host) for host in app_hosts(lab)]
    assert order != sorted(order)
    baseline(lab, releases.image("good", 1))
    image = releases.image("good", 2)
    planned = [_planned(lab, image) for _ in range(plans)]
    went = []
    for number in range(runs):
        done = must(release(lab, releases.image("good", 2 + number % 2)))
        went.append(list(dict.fromkeys(host for host, _ in done.steps)))
    evidence: Evidence = {
        "order": order,
        "plans": plans,
        "plans_in_order": planned.count(order),
        "runs": runs,
        "runs_in_order": went.count(order),
    }
    assert planned == [order] * plans, evidence
    assert went == [order] * runs, evidence
    return evidence


def _planned(lab: Lab, image: str) -> list[str]:
    return list(Released(0, _dry(lab, image), 0).printed)


def _dry(lab: Lab, image: str, **settings: Any) -> str:
    done = lab.pyinfra("--dry", *options(app_image=image, **{**QUICK, **settings}))
    return done.stdout + done.stderr


def a_turn_in_parts(lab: Lab, runs: int = 3, **settings: Any) -> Evidence:
    """Where the seconds of a host's rollout go: what is not the app's start, the bake, a pause or the drain is ours."""
    baseline(lab, releases.image("good", 1))
    turns = []
    for number in range(runs):
        must(release(lab, releases.image("good", 2 + number), app_bake_seconds=5, **settings))
        found = records(lab)[-1]
        for host, steps in found.steps.items():
            pauses = QUICK["app_shift_pause_seconds"] * len(QUICK["app_shift_weights"])
            waited = {
                "start": steps["start"] + steps["health"],
                "bake": 5.0,
                "drain": steps["stop"],
                "pause": pauses,
            }
            total = sum(steps.values())
            turns.append(
                {"host": host, "total": round(total, 2), **waited, "rest": round(total - sum(waited.values()), 2), "steps": steps}
            )
    rest = [turn["rest"] for turn in turns]
    evidence: Evidence = {"turns": turns, "rest_median_seconds": statistics.median(rest), "rest_max_seconds": max(rest)}
    assert evidence["rest_median_seconds"] < 3, evidence
    return evidence


def plan_is_what_is_done(lab: Lab) -> Evidence:
    """The steps that a dry run prints for each host are the steps that the run then takes, in that order."""
    baseline(lab, releases.image("good", 1))
    image = releases.image("good", 2)
    settings: dict[str, Any] = {"app_soak_seconds": 1}
    dry = Released(0, _dry(lab, image, **settings), 0)
    done = must(release(lab, image, deploy="deploys/production.py", **settings))
    evidence: Evidence = {"printed_by_the_dry_run": dry.printed, "printed_by_the_run": done.printed, "done": done.taken}
    assert dry.printed == done.printed == done.taken, json.dumps(evidence)
    assert list(done.taken) == [fqdn(lab, name) for name in app_hosts(lab)], evidence
    wait_until_whole(lab)
    return evidence
