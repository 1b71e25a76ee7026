"""From a commit to production, on this machine: act runs the workflow files as they are, their steps on the lab.

One lab with two hosts: `h1` is staging, `h2` production, each with all roles and its own secrets. A repository of its own stands
in for GitHub's, its REST API is answered on loopback, and what scans and attests has a stand-in that says so.
"""

from __future__ import annotations

import os
import pprint
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.client import PYINFRA, ROOT, Lab
from tests.delivery.fake_github import REPOSITORY, TOKEN, FakeGitHub, serving
from tests.pipeline.act import RunResult
from tests.pipeline.github import Environment, GitHubSide
from tests.proofs.releasing import QUICK

Evidence = dict[str, Any]
STAGING, PRODUCTION = "staging", "production"
HOSTS = {STAGING: "h1", PRODUCTION: "h2"}
# Suites that take half an hour are CI's: these programs are found before the real ones. The fast gate runs whole in the run that
# ends well, and a part of it for commits that are about something else.
SUDO = """#!/bin/sh
case "$*" in
  *" bash .ci/run" | *" make test-long") echo "not run here: $*" ;;
  *) echo "not expected here: sudo $*" >&2; exit 1 ;;
esac
"""
MAKE = """#!/bin/sh
PATH="${{PATH#*:}}"
[ "$*" = check ] || exec make "$@"
{gate}
"""
PART = "make setup && .venv/bin/python -m pytest -q tests/deploy/test_pure.py"
LEFT_OUT = ("actions/attest",)


def proven(lab: Lab, folder: Path, told: Callable[[str], None]) -> Evidence:
    """The way that goes well, timed, and the ways that do not."""
    with serving() as github:
        pipeline = Pipeline(lab, folder, github, told)
        pipeline.prepared()
        return {
            "green": _green(pipeline),
            "a test fails": _test_fails(pipeline),
            "the scan finds something that could be fixed": _scan_fails(pipeline),
            "a release that is bad": _bad_release(pipeline),
            "nobody approves": _not_approved(pipeline),
            "two commits at once": _two_at_once(pipeline),
            "not played here": list(LEFT_OUT),
        }


@dataclass
class Pipeline:
    """The repository, GitHub beside it, and the two environments."""

    lab: Lab
    folder: Path
    github: FakeGitHub
    told: Callable[[str], None]
    approved: list[str] = field(default_factory=list)
    approving: bool = True
    vulnerable: bool = False
    # The last commit that arrived in staging: the one that production may get.
    staged: str = ""
    # Set when a step begins.
    stepping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.side = GitHubSide(
            origin=self.origin,
            folder=self.folder,
            repository=REPOSITORY,
            environments={},
            protected=(PRODUCTION,),
            approve=self._asked,
            told=self._stepped,
            api_url=self.github.address,
            venv=(ROOT / ".venv").resolve(),
        )

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def prepared(self) -> None:
        """Somebody's repository with their hosts in it, and hosts that reach the registry."""
        _git(self.folder, "clone", "--quiet", "--bare", str(ROOT), str(self.origin))
        _git(self.folder, "clone", "--quiet", str(self.origin), str(self.work))
        _git(self.work, "checkout", "--quiet", "-B", "main")
        for name, host in HOSTS.items():
            (self.work / f"inventory_{name}.py").write_text(self._inventory(name))
            (self.work / "group_data" / f"{name}.py").write_text(self._settings(name))
            files = ["--file", f"secrets/{name}.age", "--key", str(self.folder / f"{name}.key")]
            _python(self.work, "scripts/secrets.py", "init", name, *files)
            _bootstrapped(self.lab, self.work, name)
            self._reaches_registry(host)
        self.side.environments = self._environments()
        self.commit("The hosts of this lab")

    def commit(self, message: str, change: Callable[[Path], object] = lambda work: None) -> str:
        """A commit on main, pushed; its full name."""
        change(self.work)
        _git(self.work, "add", "--all")
        identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        _git(self.work, *identity, "commit", "--quiet", "--allow-empty", "--message", message)
        _git(self.work, "push", "--quiet", "origin", "HEAD:main")
        return _git(self.work, "rev-parse", "HEAD").strip()

    def pushed(self, sha: str, gate: str = PART) -> RunResult:
        """What a push to main starts. `gate` runs in the place of `make check`."""
        programs = self.folder / f"programs-{sha[:12]}"
        programs.mkdir()
        for name, text in {"sudo": SUDO, "make": MAKE.format(gate=gate)}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        found = "fixable" if self.vulnerable else "nothing"
        done = self.side.run("deploy-staging.yml", "push", sha, programs=programs, scan_finds=found)
        self.github.run(done.number, conclusion=done.result)
        if done.result == "success":
            self.staged = sha
        return done

    def promoted(self, sha: str) -> RunResult:
        """What somebody starts by hand."""
        return self.side.run("deploy-production.yml", "workflow_dispatch", sha)

    def serves(self, name: str) -> str:
        """The version that an environment answers with."""
        health: dict[str, Any] = self.https(name)
        return str(health["version"])

    def https(self, name: str) -> dict[str, Any]:
        item = self._host(name)
        lab = Lab({**self.lab, "hosts": [{**item, "name": "h1"}]})
        return lab.wait_for_health(item["fqdn"], seconds=30)

    def _host(self, name: str) -> dict[str, Any]:
        return next(item for item in self.lab["hosts"] if item["name"] == HOSTS[name])

    def _inventory(self, name: str) -> str:
        """One host with every role."""
        groups = (name, "edge", "app", "db")
        host = self._host(name)["fqdn"]
        return f'"""Hosts of {name}."""\n\n' + "".join(f"{group} = [{host!r}]\n" for group in groups)

    def _settings(self, name: str) -> str:
        """As `signupflow init` would write them, with the lab's servers in the place of public ones."""
        host, lab = self._host(name), self.lab
        public = Path(f"{lab['ssh_key']}.pub").read_text().strip()
        data = {
            "environment": name,
            "profile": name,
            "deploy_public_keys": [public],
            "domains": [host["fqdn"]],
            "acme_email": f"operations@{lab['zone']}",
            "acme_directory": lab["acme_directory"],
            "acme_ca_file": lab["acme_ca_file"],
            "public_ca_file": lab["ca_file"],
            "registry_mirrors": [lab["registry_mirror"]],
            "traefik_image": lab["traefik_image"],
            "ssh_hostname": host["address"],
            "ssh_user": "deploy",
            "ssh_known_hosts_file": "known_hosts",
            "ssh_strict_host_key_checking": "yes",
            **QUICK,
        }
        return "".join(f"{key} = {pprint.pformat(value, width=110)}\n" for key, value in data.items())

    def _reaches_registry(self, host: str) -> None:
        """On a host, the registry at the same loopback address as here: an image then has one name everywhere."""
        address, port = self.lab["registry"], self.lab["registry_push"].rpartition(":")[2]
        units = {
            "socket": f"[Socket]\nListenStream=127.0.0.1:{port}\n",
            "service": f"[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd {address}\n",
        }
        for kind, text in units.items():
            self.lab.ssh(host, f"sudo tee /etc/systemd/system/lab-registry.{kind} >/dev/null", stdin=text)
        self.lab.ssh(host, "sudo systemctl daemon-reload && sudo systemctl start lab-registry.socket")

    def _environments(self) -> dict[str, Environment]:
        """What each environment's settings on GitHub would hold."""
        hosts, key = (Path(self.lab[name]).read_text() for name in ("known_hosts", "ssh_key"))
        given = {
            name: Environment(
                {"SSH_PRIVATE_KEY": key, "SIGNUPFLOW_AGE_KEY": (self.folder / f"{name}.key").read_text().strip()},
                {"SSH_KNOWN_HOSTS": hosts, "SIGNUPFLOW_INVENTORY": f"inventory_{name}.py"},
            )
            for name in HOSTS
        }
        image = f"{self.lab['registry_push']}/somebody/signupflow"
        return {"": Environment({"GITHUB_TOKEN": TOKEN}, {"IMAGE_NAME": image}), **given, "production-plan": given[PRODUCTION]}

    def _asked(self, environment: str, summaries: str) -> bool:
        """Somebody looks at the plan on the run's page."""
        self.approved.append(summaries)
        return self.approving

    def _stepped(self, line: str) -> None:
        self.stepping.set()
        self.told(line)


def _green(pipeline: Pipeline) -> Evidence:
    """A commit arrives in production; the same image, by digest, in both; what is served says so."""
    sha = pipeline.commit("A better greeting")
    gate = os.environ.get("PIPELINE_GATE", "make check")
    staged = pipeline.pushed(sha, gate=gate)
    assert staged.result == "success", staged.why()
    promoted = pipeline.promoted(sha)
    assert promoted.result == "success", promoted.why()
    versions = {name: pipeline.serves(name) for name in HOSTS}
    evidence: Evidence = {
        "seconds": {
            "commit to staging": staged.seconds,
            "staging to production, without the approval": promoted.seconds,
        },
        "in_the_place_of_all_tests": gate,
        "steps": {
            f"{job.name}: {step.label}": step.seconds
            for run in (staged, promoted)
            for job in run.jobs
            for step in job.steps.values()
        },
        "serves": versions,
        "tags": dict(pipeline.github.refs),
        "plan_shown_before_the_approval": "What will be done" in pipeline.approved[-1],
    }
    assert len(set(versions.values())) == 1, evidence
    assert sha[:12] in versions[PRODUCTION], evidence
    assert list(evidence["tags"].values()) == [sha], evidence
    assert evidence["plan_shown_before_the_approval"], pipeline.approved
    return evidence


def _unchanged(pipeline: Pipeline, run: RunResult, job: str, before: Mapping[str, str]) -> Evidence:
    """A run that fails in a job leaves both environments as they were."""
    evidence: Evidence = {
        "result": run.result,
        "failed_in": run.why().partition("\n")[0],
        "skipped": run.skipped,
        "serves_what_it_did": {name: pipeline.serves(name) for name in HOSTS} == before,
    }
    assert run.result == "failure", evidence
    assert evidence["failed_in"].startswith(f"{job}:"), (evidence, run.why())
    assert evidence["serves_what_it_did"], evidence
    return evidence


def _test_fails(pipeline: Pipeline) -> Evidence:
    before = {name: pipeline.serves(name) for name in HOSTS}
    path = Path("tests/deploy/test_pure.py")
    text = (pipeline.work / path).read_text()
    broken = "\n\ndef test_that_fails() -> None:\n    assert False\n"
    sha = pipeline.commit("Breaks a test", lambda work: (work / path).write_text(text + broken))
    evidence = _unchanged(pipeline, pipeline.pushed(sha), "check", before)
    pipeline.commit("Mends it", lambda work: (work / path).write_text(text))
    assert "deploy" in evidence["skipped"], evidence
    return evidence


def _scan_fails(pipeline: Pipeline) -> Evidence:
    before = {name: pipeline.serves(name) for name in HOSTS}
    pipeline.vulnerable = True
    run = pipeline.pushed(pipeline.commit("Ships something known to be wrong"))
    pipeline.vulnerable = False
    evidence = _unchanged(pipeline, run, "scan", before)
    assert "CVE-2026-0001" in run.why(), run.why()
    assert {"publish", "deploy"} <= set(evidence["skipped"]), evidence
    return evidence


def _bad_release(pipeline: Pipeline) -> Evidence:
    """A version that never starts: staging rolls it back, and production is offered what staging had before."""
    before = {name: pipeline.serves(name) for name in HOSTS}
    path = Path("app/__main__.py")
    text = (pipeline.work / path).read_text()
    sha = pipeline.commit("Never starts", lambda work: (work / path).write_text("raise SystemExit(3)\n"))
    evidence = _unchanged(pipeline, pipeline.pushed(sha), "deploy", before)
    pipeline.commit("Starts again", lambda work: (work / path).write_text(text))
    return evidence


def _not_approved(pipeline: Pipeline) -> Evidence:
    before = {name: pipeline.serves(name) for name in HOSTS}
    pipeline.approving = False
    run = pipeline.promoted(pipeline.staged)
    pipeline.approving = True
    assert "not approved: production" in run.why(), run.why()
    return _unchanged(pipeline, run, "deploy", before)


def _two_at_once(pipeline: Pipeline) -> Evidence:
    """The second run waits for the first; staging ends with the second commit."""
    commits = [pipeline.commit(f"One of two, number {number}") for number in (1, 2)]
    pipeline.stepping.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pipeline.pushed, commits[0])
        assert pipeline.stepping.wait(60), "the first run did not begin"
        second = pool.submit(pipeline.pushed, commits[1])
        runs = [first.result(), second.result()]
    evidence: Evidence = {
        "results": [run.result for run in runs],
        "seconds_between_them": round(runs[1].began - runs[0].ended, 1),
        "serves_the_second": commits[1][:12] in pipeline.serves(STAGING),
    }
    assert evidence["results"] == ["success", "success"], [run.why() for run in runs]
    assert evidence["seconds_between_them"] >= 0, evidence
    assert evidence["serves_the_second"], evidence
    return evidence


def _bootstrapped(lab: Lab, work: Path, name: str) -> None:
    if lab.deploy_login_works(HOSTS[name]):
        return
    command = [PYINFRA, f"inventory_{name}.py", "deploys/bootstrap.py", "-y", "--user", "root", "--key", lab["ssh_key"]]
    shutil.copy(lab["known_hosts"], work / "known_hosts")
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    (work / "known_hosts").unlink()
    assert done.returncode == 0, done.stderr[-3000:]


def _git(where: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=where, capture_output=True, text=True, check=True).stdout


def _python(where: Path, *words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=where, env=os.environ, capture_output=True, text=True, check=True)
