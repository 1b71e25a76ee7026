"""What the proofs of releases share: three app hosts in an order that is not the alphabet's, releases, and what a host shows."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.client import PYINFRA, ROOT, Lab
from signupflow.release import ledger
from tests.proofs.healing import wait_until_whole

Evidence = dict[str, Any]

# Windows short enough to try much. What a proof is about, it sets itself; evidence holds the values.
QUICK: dict[str, Any] = {
    "app_soak_seconds": 0,
    "app_shift_weights": [20],
    "app_shift_pause_seconds": 1,
    "app_bake_seconds": 1,
    "app_monitor_seconds": 2,
    "app_start_seconds": 30,
}
# The stages of a release alone: the same code as in deploys/production.py, without what is below the app.
RELEASE = "deploys/resume.py"
STEP = re.compile(r"\[(?P<host>[^\]]+)\]\s+[0-9.]+ s  (?P<step>[a-z ]+?)  \(generation (?P<generation>\d+)\)")


def options(**settings: Any) -> list[str]:
    """`--data` for each setting."""
    return [
        word
        for name, value in settings.items()
        for word in ("--data", f"{name}={json.dumps(value)}" if not isinstance(value, str) else f"{name}={value}")
    ]


def three_app_hosts(lab: Lab) -> Lab:
    """The cluster with its spare host in group `app`, in the order h3, h5, h2."""
    order = ["h3", "h5", "h2"]
    fqdn = {item["name"]: item["fqdn"] for item in lab["hosts"]}
    text = Path(lab["inventory"]).read_text()
    changed = re.sub(r"^app = .*$", f"app = {[fqdn[name] for name in order]!r}", text, flags=re.MULTILINE)
    # pyinfra's order is that in which the file first names the hosts.
    listed = [*(fqdn[name] for name in order), *(name for key, name in fqdn.items() if key not in order)]
    changed = re.sub(
        r"^spare = .*\n",
        f"lab = (sorted(lab[0], key=lambda item: {listed!r}.index(item[0])), lab[1])\n",
        changed,
        flags=re.MULTILINE,
    )
    path = Path(lab["inventory"]).with_name("three.py")
    path.write_text(changed)
    hosts = [{**item, "roles": ["app"] if item["name"] in order else item["roles"]} for item in lab["hosts"]]
    return Lab({**lab, "inventory": str(path), "hosts": hosts, "app_order": order})


def app_hosts(lab: Lab) -> list[str]:
    """Names of the app hosts in the order of a release."""
    return list(lab.get("app_order", lab.holding("app")))


def fqdn(lab: Lab, name: str) -> str:
    return next(str(item["fqdn"]) for item in lab["hosts"] if item["name"] == name)


CHECKED = "--> Live traffic check: "


@dataclass(frozen=True)
class Released:
    """One run of a release: its exit code, all that it said, and how long it took."""

    code: int
    said: str
    seconds: float

    @property
    def steps(self) -> list[tuple[str, str]]:
        """(host, step) in the order they were begun."""
        return [(match["host"], match["step"]) for match in STEP.finditer(self.said)]

    @property
    def printed(self) -> dict[str, list[str]]:
        """Host to the steps that the run announced for it, before it began."""
        found: dict[str, list[str]] = {}
        host = ""
        for line in self.said.splitlines():
            if match := re.match(r"^ +\d+\. (.+)$", line):
                host = match[1]
            elif match := re.match(r"^ {10,}([a-z ]+): ", line):
                found.setdefault(host, []).append(match[1])
        return found

    @property
    def taken(self) -> dict[str, list[str]]:
        """Host to the steps that it took, each once, but for its end."""
        found: dict[str, list[str]] = {}
        for host, step in self.steps:
            steps = found.setdefault(host, [])
            if step != "done" and steps[-1:] != [step]:
                steps.append(step)
        return found

    @property
    def why(self) -> str:
        """The line that says why it failed, empty when it did not."""
        return next((line for line in self.said.splitlines() if line.startswith("Error: ")), "")

    @property
    def probe(self) -> str:
        return next((line.removeprefix(CHECKED) for line in self.said.splitlines() if line.startswith(CHECKED)), "")


def release(lab: Lab, image: str, deploy: str = RELEASE, arguments: tuple[str, ...] = (), **settings: Any) -> Released:
    """Run a release to its end, whatever that is."""
    started = time.monotonic()
    words = ["-y", *options(app_image=image, **{**QUICK, **settings}), *arguments]
    done = lab.pyinfra(*words, deploy=deploy, check=False, politely=True)
    return Released(done.returncode, done.stdout + done.stderr, round(time.monotonic() - started, 1))


def must(released: Released) -> Released:
    assert released.code == 0, released.said[-6000:]
    return released


@contextmanager
def started(lab: Lab, image: str, deploy: str = RELEASE, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """A release that runs beside; its output is to be read from `stdout`. Killed at the end if it still runs."""
    command = [PYINFRA, lab["inventory"], deploy, "-y", *options(app_image=image, **{**QUICK, **settings})]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        yield run
    finally:
        if run.poll() is None:
            run.kill()
        run.wait()
        assert run.stdout
        run.stdout.close()


def until(run: subprocess.Popen[str], holds: Callable[[str], bool]) -> str:
    """Read a run's output up to the line for which `holds`; the text so far. Fails when the run ends first."""
    said = ""
    assert run.stdout
    for line in run.stdout:
        said += line
        if holds(line):
            return said
    raise AssertionError(f"the run ended before that: {said[-3000:]}")


def at_step(host: str, step: str) -> Callable[[str], bool]:
    """For `until`: the line with which a host begins a step."""

    def holds(line: str) -> bool:
        match = STEP.search(line)
        return match is not None and (match["host"], match["step"]) == (host, step)

    return holds


RUNNING = (
    "sudo docker ps -q --filter label=org.signupflow.app=signupflow | xargs -r sudo docker inspect --format"
    """ '{{index .Config.Labels "org.signupflow.generation"}} {{index .Config.Labels "org.opencontainers.image.version"}}'"""
)


def running(lab: Lab, host: str) -> set[tuple[int, str]]:
    """Generations that run on a host, each with its version."""
    rows = (line.split() for line in lab.ssh(host, RUNNING).splitlines())
    return {(int(row[0]), row[1]) for row in rows}


def versions(lab: Lab) -> dict[str, list[str]]:
    """App host to the versions that run there."""
    return {host: sorted({version for _, version in running(lab, host)}) for host in app_hosts(lab)}


def routed(lab: Lab) -> dict[str, list[int]]:
    """Host (fqdn) to the generations in the edge's routes."""
    text = lab.ssh(lab.the("edge"), "cat /opt/signupflow/traefik/config/dynamic/app-signupflow-servers.yaml")
    found: dict[str, list[int]] = {}
    for host, generation in re.findall(r"^# (\S+) generation (\d+)", text, re.MULTILINE):
        found.setdefault(host, []).append(int(generation))
    return found


def one_generation(lab: Lab) -> None:
    """On every app host exactly what the routes name runs, and nothing else."""
    routes = routed(lab)
    for host in app_hosts(lab):
        there = sorted(generation for generation, _ in running(lab, host))
        assert there == routes[fqdn(lab, host)], (host, there, routes)
        assert len(there) == 1, (host, there)


def records(lab: Lab) -> list[ledger.Record]:
    return ledger.parse(lab.ssh(lab.the("edge"), f"sudo cat {ledger.FILE} 2>/dev/null || true"))


def nothing_to_do(lab: Lab, image: str, **settings: Any) -> None:
    """A further run changes nothing."""
    done = lab.pyinfra("-y", "--json", *options(app_image=image, **{**QUICK, **settings}))
    changed = [row["name"] for row in json.loads(done.stdout)["results"]["operations"] if row["success"]]
    assert not changed, changed


def container_ids(lab: Lab, host: str) -> list[str]:
    """Full ids of the replicas that run on a host."""
    return lab.ssh(host, "sudo docker ps -q --no-trunc --filter label=org.signupflow.app=signupflow").split()


def baseline(lab: Lab, image: str, **settings: Any) -> str:
    """Release something good and wait until all of it serves; its version."""
    must(release(lab, image, **settings))
    wait_until_whole(lab)
    (version,) = {version for found in versions(lab).values() for version in found}
    return version
