"""Releases that are cut off: the controller killed, a host rebooted, SSH cut, at each step of the state machine in turn."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.client import ROOT, Lab
from signupflow.release.rollout import BACKWARD, ENDS, Rollout, Step
from tests import releases
from tests.load import Load
from tests.proofs.healing import mixed, wait_until_whole
from tests.proofs.releasing import (
    Evidence,
    app_hosts,
    at_step,
    baseline,
    fqdn,
    must,
    nothing_to_do,
    one_generation,
    release,
    started,
    until,
    versions,
)

# Every step of a rollout with everything set, from the machine itself.
FORWARD = Rollout("", 2, 1, 1, soak_seconds=1, weights=(20,), pause_seconds=1, bake_seconds=1).path
FULL: dict[str, Any] = {"app_soak_seconds": 1}

# A release that comes as far as to need each backward step.
WAYS_BACK: dict[Step, tuple[str, int | None, dict[str, Any]]] = {
    Step.REMOVE: ("exit", None, {}),
    Step.ROUTE_BACK: ("errors", 4, {"app_shift_pause_seconds": 20}),
    Step.REVIVE: ("crash", 12, {"app_bake_seconds": 30}),
}
assert set(WAYS_BACK) == set(BACKWARD)
assert {*FORWARD, *BACKWARD, *ENDS} == set(Step)


def killed_at_each_step(lab: Lab, steps: tuple[Step, ...] = (*FORWARD, *BACKWARD), rate: float = 20) -> Evidence:
    """SIGKILL when a step begins. The service goes on, the next run finishes or undoes, and the one after has nothing to do."""
    images = [releases.image("good", number) for number in (1, 2)]
    baseline(lab, images[0])
    host = app_hosts(lab)[0]
    rows: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        wanted = images[(number + 1) % 2]
        kind, after, settings = WAYS_BACK.get(step, ("good", None, FULL))
        releasing = wanted if step in FORWARD else releases.image(kind, 91, after)
        with Load(lab, rate=rate, seconds=600, calls=mixed(lab)) as load:
            with started(lab, releasing, **settings) as run:
                until(run, at_step(fqdn(lab, host), str(step)))
                run.send_signal(signal.SIGKILL)
                run.wait()
            killed = load.elapsed
            load.until(killed + 3)
            after_kill = load.elapsed
            converged = must(release(lab, wanted, **FULL))
            wait_until_whole(lab)
        report = load.report
        one_generation(lab)
        nothing_to_do(lab, wanted, **FULL)
        dead = [item for item in report.failures if item.sent_at < after_kill]
        rows.append(
            {
                "killed_at": str(step),
                "sent": report.sent,
                "failed": report.failed,
                "failed_before_the_next_run": len(dead),
                "next_run_began_with": next((found for name, found in converged.steps if name == fqdn(lab, host)), "nothing"),
                "next_run_seconds": converged.seconds,
                "versions": versions(lab),
            }
        )
        # A crashed or erring version takes what it was answering along; nothing else fails.
        assert report.failed == 0 or step in (Step.ROUTE_BACK, Step.REVIVE), (rows[-1], report.failures[:5])
        assert {version for found in rows[-1]["versions"].values() for version in found} == {wanted_version(wanted)}, rows[-1]
    return {"host": host, "rate": rate, "steps": rows}


def aborted(lab: Lab, steps: tuple[Step, ...] = (Step.HEALTH, Step.SHIFT, Step.STOP, Step.BAKE), rate: float = 50) -> Evidence:
    """Killed when a step of the last host begins; then `deploys/abort.py`: every host serves what it served before."""
    good, other = releases.image("good", 1), releases.image("good", 2)
    version = baseline(lab, good)
    host = app_hosts(lab)[-1]
    rows: list[dict[str, Any]] = []
    for step in steps:
        with Load(lab, rate=rate, seconds=600, calls=mixed(lab)) as load:
            with started(lab, other, **FULL) as run:
                until(run, at_step(fqdn(lab, host), str(step)))
                run.send_signal(signal.SIGKILL)
                run.wait()
            done = must(release(lab, other, deploy="deploys/abort.py", **FULL))
            wait_until_whole(lab)
        one_generation(lab)
        rows.append(
            {
                "killed_at": str(step),
                "undone_by": done.steps,
                "versions": versions(lab),
                "sent": load.report.sent,
                "failed": load.report.failed,
            }
        )
        assert {found for there in rows[-1]["versions"].values() for found in there} == {version}, rows[-1]
        assert load.report.failed == 0, (rows[-1], load.report.failures[:5])
        # The schema step's own files still name the other image; no host has a rollout.
        assert not must(release(lab, good)).steps
        nothing_to_do(lab, good)
    return {"host": host, "steps": rows}


def wanted_version(image: str) -> str:
    kind, _, number = image.partition(":")[2].partition("-")
    return f"1.{number}.0-{kind}"


def rebooted_in_its_turn(
    lab: Lab, steps: tuple[Step, ...] = (Step.HEALTH, Step.SHIFT, Step.SWITCH, Step.STOP, Step.BAKE)
) -> Evidence:
    """The host loses its power in the middle of its rollout. When it is back it serves one generation; the next run converges."""
    images = [releases.image("good", number) for number in (1, 2)]
    baseline(lab, images[0])
    host = app_hosts(lab)[0]
    rows: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        wanted = images[(number + 1) % 2]
        with started(lab, wanted, **FULL, app_bake_seconds=5) as run:
            said = until(run, at_step(fqdn(lab, host), str(step)))
            crash = subprocess.Popen([sys.executable, "-m", "lab", "crash", "--name", lab["name"], host], cwd=ROOT)
            rest, _ = run.communicate(timeout=300)
            crash.wait()
        code = run.returncode
        wait_until_whole(lab)
        one_generation(lab)
        there = versions(lab)
        must(release(lab, wanted, **FULL))
        nothing_to_do(lab, wanted, **FULL)
        one_generation(lab)
        rows.append({"rebooted_at": str(step), "exit": code, "survived": not code, "versions_when_back": there})
        assert len(there[host]) == 1, rows[-1]
        assert code == 0 or "Error: " in said + rest, rows[-1]
    return {"host": host, "steps": rows}


def without_ssh_at_each_step(lab: Lab, steps: tuple[Step, ...] = FORWARD, seconds: float = 30, rate: float = 20) -> Evidence:
    """SSH to the host in its rollout, and to the edge, is cut in each step: the run survives it or undoes; no request fails."""
    images = [releases.image("good", number) for number in (1, 2)]
    baseline(lab, images[0])
    host = app_hosts(lab)[0]
    rows: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        wanted = images[(number + 1) % 2]
        with Load(lab, rate=rate, seconds=900, calls=mixed(lab)) as load, started(lab, wanted, **FULL) as run:
            until(run, at_step(fqdn(lab, host), str(step)))
            with no_ssh(lab, [host, lab.the("edge")]):
                drained = _drain(run)
                time.sleep(seconds)
            drained.join(600)
            code = run.wait(600)
        one_generation(lab)
        survived = {version for found in versions(lab).values() for version in found} == {wanted_version(wanted)}
        rows.append(
            {"cut_in": str(step), "exit": code, "survived": survived, "sent": load.report.sent, "failed": load.report.failed}
        )
        assert load.report.failed == 0, (rows[-1], load.report.failures[:5])
        assert survived == (code == 0), rows[-1]
        must(release(lab, wanted, **FULL))
    return {"host": host, "seconds": seconds, "rate": rate, "steps": rows}


def _drain(run: subprocess.Popen[str]) -> threading.Thread:
    """Reads on, so that the run is never held up by a full pipe."""
    assert run.stdout
    thread = threading.Thread(target=run.stdout.read, daemon=True)
    thread.start()
    return thread


@contextmanager
def no_ssh(lab: Lab, hosts: list[str]) -> Iterator[None]:
    """Packets of port 22 are dropped both ways, silently, on these hosts."""
    table = "table inet nossh { chain i { type filter hook prerouting priority -300; tcp dport 22 drop; }; }"
    for host in hosts:
        _exec(lab, host, "nft", table)
    try:
        yield
    finally:
        for host in hosts:
            _exec(lab, host, "nft", "delete table inet nossh")


def _exec(lab: Lab, host: str, *command: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "lab", "exec", "--name", lab["name"], host, "--", *command],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
