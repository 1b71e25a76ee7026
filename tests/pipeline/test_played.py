"""The workflow files, played: in which order their steps run, what a failure stops, and who has to approve.

The commands are noted and not run; `make prove LINE=pipeline` runs them.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.client import ROOT
from lab.github.expressions import ExpressionError
from lab.github.runner import Runner, RunResult
from lab.github.workflow import WorkflowError, read

WORKFLOWS = ROOT / ".github" / "workflows"
DIGEST = f"sha256:{'ab' * 32}"
ACTIONS = (
    *("actions/checkout", "actions/upload-artifact", "actions/download-artifact"),
    *("actions/attest", "aquasecurity/trivy-action"),
)
# What steps hand on, in the place of what they would find out.
HANDED_ON = {
    "push": {"image": f"registry.test/app:1@{DIGEST}", "digest": DIGEST, "name": "registry.test/app"},
    "staged": {"run": "7"},
    "chosen": {"image": f"registry.test/app:1@{DIGEST}", "commit": "c" * 40, "tag": "1"},
    "served": {"image": f"registry.test/app:1@{DIGEST}", "commit": "c" * 40},
}


@dataclass
class Noted:
    """A run of one workflow. `fails` is the beginning of the command that ends with an error."""

    folder: Path
    fails: str = ""
    approving: bool = True
    asked: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def commands(self) -> list[str]:
        return [json.loads(line)["command"] for line in self.log.read_text().splitlines()]

    def variables(self, command: str) -> dict[str, str]:
        """What a command found in its environment."""
        line = next(item for item in map(json.loads, self.log.read_text().splitlines()) if item["command"].startswith(command))
        found: dict[str, str] = line["environment"]
        return found

    def run(self, name: str, event: str, **inputs: Any) -> RunResult:
        self.log.touch()
        runner = Runner(
            repository=self.folder,
            folder=self.folder / "jobs",
            actions=dict.fromkeys(ACTIONS, lambda play: {}),
            environments={"": {"secrets": {"GITHUB_TOKEN": "t0ken"}, "vars": {"IMAGE_NAME": "registry.test/app"}}},
            protected=("production",),
            approve=self._approve,
            replaced=self._noted,
        )
        context = {"sha": "c" * 40, "ref": "refs/heads/main", "actor": "ada", "event_name": event, "event": {}, "run_id": "1"}
        return runner.run(WORKFLOWS / name, context, inputs, event)

    def _approve(self, environment: str, summaries: str) -> bool:
        self.asked.append(environment)
        return self.approving

    def _noted(self, command: str) -> str:
        note = "import json, os; print(json.dumps({'command': " + repr(command.strip()) + ", 'environment': dict(os.environ)}))"
        lines = [f"{shlex.quote(sys.executable)} -c {shlex.quote(note)} >> {shlex.quote(str(self.log))}"]
        for word, outputs in HANDED_ON.items():
            if command.startswith(f"scripts/delivery.py {word}"):
                lines += [f"echo {name}={value} >> $GITHUB_OUTPUT" for name, value in outputs.items()]
        if self.fails and command.startswith(self.fails):
            lines.append("exit 1")
        return "\n".join(lines)


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    return Noted(tmp_path)


def at(commands: list[str], beginning: str) -> int:
    return next(number for number, command in enumerate(commands) if command.startswith(beginning))


def test_us3_1_us3_2_us3_3_sc002_a_push_is_tested_built_scanned_pushed_and_deployed_to_staging(noted: Noted) -> None:
    done = noted.run("deploy-staging.yml", "push")
    assert done.result == "success"
    order = ["make check", "scripts/delivery.py build", "scripts/delivery.py gate", "scripts/delivery.py push"]
    places = [at(noted.commands, command) for command in (*order, ".venv/bin/signupflow deploy --yes")]
    assert places == sorted(places)
    assert at(noted.commands, "sudo -E") < places[1]
    assert noted.variables(".venv/bin/signupflow deploy")["IMAGE"] == f"registry.test/app:1@{DIGEST}"
    assert not noted.asked


@pytest.mark.parametrize("command", ["make check", "sudo -E"])
def test_fr010_nothing_is_built_or_deployed_when_a_suite_fails(noted: Noted, command: str) -> None:
    noted.fails = command
    done = noted.run("deploy-staging.yml", "push")
    assert done.result == "failure"
    assert not [item for item in noted.commands if "delivery.py" in item or "signupflow" in item]
    assert {job.name for job in done.jobs if job.result == "skipped"} >= {"image", "deploy"}


def test_sec004_what_the_scan_refuses_is_neither_pushed_nor_deployed(noted: Noted) -> None:
    noted.fails = "scripts/delivery.py gate"
    assert noted.run("deploy-staging.yml", "push").result == "failure"
    assert not [item for item in noted.commands if item.startswith(("scripts/delivery.py push", ".venv/bin/signupflow"))]


def test_us3_4_production_waits_for_an_approval_with_the_plan_made_before(noted: Noted) -> None:
    done = noted.run("deploy-production.yml", "workflow_dispatch")
    assert done.result == "success"
    assert noted.asked == ["production"]
    planned, applied = at(noted.commands, ".venv/bin/signupflow plan"), at(noted.commands, ".venv/bin/signupflow apply")
    assert planned < at(noted.commands, "scripts/delivery.py show") < applied
    assert noted.variables(".venv/bin/signupflow plan")["IMAGE"] == f"registry.test/app:1@{DIGEST}"
    assert noted.variables("scripts/delivery.py tag")["COMMIT"] == "c" * 40


def test_us3_4_without_the_approval_no_command_runs_on_production(noted: Noted) -> None:
    noted.approving = False
    assert noted.run("deploy-production.yml", "workflow_dispatch").result == "failure"
    assert not [item for item in noted.commands if "apply" in item or "delivery.py tag" in item]


def test_fr012_a_rollback_goes_where_it_was_told(noted: Noted) -> None:
    assert noted.run("rollback.yml", "workflow_dispatch", environment="production", version="1.3.0").result == "success"
    assert noted.asked == ["production"]
    assert noted.variables(".venv/bin/signupflow rollback")["VERSION"] == "1.3.0"


def test_us3_5_drift_is_told_also_when_there_is_some(noted: Noted) -> None:
    noted.fails = "scripts/delivery.py drift"
    assert noted.run("drift.yml", "workflow_dispatch").result == "success"
    assert noted.commands[-1] == "scripts/delivery.py issue"


def test_fr009_no_secret_of_the_hosts_is_given_to_a_job_that_reaches_none(noted: Noted) -> None:
    noted.run("deploy-staging.yml", "push")
    for command in ("make check", "scripts/delivery.py build", "scripts/delivery.py gate"):
        assert not {"SSH_PRIVATE_KEY", "SIGNUPFLOW_AGE_KEY", "REGISTRY_TOKEN"} & set(noted.variables(command))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on: push\njobs: {a: {runs-on: x, strategy: {}, steps: []}}", "strategy is not played here"),
        ("on: push\njobs: {a: {runs-on: x, steps: [{shell: x, run: y}]}}", "shell is not played here"),
        ("on: push\njobs: {a: {needs: b, steps: []}}", "jobs need each other"),
        ("on: push\njobs: {a: {steps: [{name: x}]}}", "needs one of run and uses"),
    ],
)
def test_us3_1_what_the_player_does_not_know_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.yml"
    path.write_text(text)
    with pytest.raises(WorkflowError, match=said):
        read(path)


def test_us3_1_an_event_that_starts_nothing_is_refused(noted: Noted) -> None:
    with pytest.raises((WorkflowError, ExpressionError), match="is not started by push"):
        noted.run("rollback.yml", "push")


def test_us3_1_a_condition_without_a_status_function_holds_only_while_all_went_well(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(
        "on: push\njobs:\n  a:\n    steps:\n      - run: exit 1\n"
        "      - if: github.ref == 'main'\n        run: echo plain >> ../ran\n"
        "      - if: failure() && github.ref == 'main'\n        run: echo told >> ../ran\n"
    )
    runner = Runner(repository=tmp_path, folder=tmp_path / "jobs", actions={}, environments={})
    done = runner.run(path, {"sha": "c", "ref": "main", "event_name": "push"})
    assert done.result == "failure"
    (ran,) = (tmp_path / "jobs").glob("*/ran")
    assert ran.read_text() == "told\n"
