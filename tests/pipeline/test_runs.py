"""The workflow files, run by act: in which order their steps run, what a failure stops, and who has to approve.

The programs that steps call only note how they were called and leave the files that later steps need; `make pipeline` runs the
real ones.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.client import ROOT
from tests.pipeline.act import RunResult
from tests.pipeline.github import Environment, GitHubSide

pytestmark = pytest.mark.slow

DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"registry.test/app:1@{DIGEST}"
GITHUB_TOKEN, SSH_KEY, AGE_KEY = "made-up-token", "made-up first line\nand a second", "made-up-age-key"
# Runs in the place of every program: notes the call, hands on what a step would find out, and ends with an error when told to.
WITNESS = f"""#!{sys.executable} -S
import json, os, sys
from pathlib import Path

there = Path({{folder!r}})
name = os.path.basename(sys.argv[0]) if os.path.isabs(sys.argv[0]) else sys.argv[0]
command = " ".join([name, *sys.argv[1:]])
with (there / "log").open("a") as log:
    log.write(json.dumps({{{{"command": command, "environment": dict(os.environ)}}}}) + "\\n")
for beginning, outputs in json.loads((there / "outputs.json").read_text()).items():
    if command.startswith(beginning):
        with open(os.environ["GITHUB_OUTPUT"], "a") as file:
            file.writelines(f"{{{{key}}}}={{{{value}}}}\\n" for key, value in outputs.items())
for beginning, files in json.loads((there / "files.json").read_text()).items():
    if command.startswith(beginning):
        for path, text in files.items():
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(text)
if command.startswith("scripts/delivery.py show"):
    with open(os.environ["GITHUB_STEP_SUMMARY"], "a") as file:
        file.write("what will be done")
if (there / "says").exists() and command.startswith(".venv/bin/signupflow"):
    print(os.environ["SIGNUPFLOW_AGE_KEY"])
fails = (there / "fails").read_text()
sys.exit(1 if fails and command.startswith(fails) else 0)
"""
FILES = {
    "scripts/delivery.py build": {"delivery/image.tar": "", "delivery/build.json": json.dumps({"config": DIGEST})},
    "scripts/delivery.py drift": {"delivery/drift.json": "{}"},
    ".venv/bin/signupflow plan": {"plan.json": "{}"},
    ".venv/bin/signupflow deploy": {"reports/1.html": ""},
}


@dataclass
class Noted:
    """A repository whose programs are witnesses, and GitHub beside it."""

    folder: Path
    sha: str = ""
    approving: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        work, programs = self.folder / "work", self.folder / "programs"
        programs.mkdir()
        witness = WITNESS.format(folder=str(self.folder))
        shutil.copytree(ROOT / ".github", work / ".github")
        for path in (programs / "make", programs / "sudo", work / "scripts/delivery.py", work / ".venv/bin/signupflow"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(witness)
            path.chmod(0o755)
        git(work, "init", "--quiet", "--initial-branch=main")
        self.commit()
        git(self.folder, "clone", "--quiet", "--bare", str(work), str(self.folder / "origin.git"))
        chosen = {"image": IMAGE, "commit": self.sha, "tag": "1"}
        outputs = {"push": {"image": IMAGE, "digest": DIGEST, "name": "registry.test/app"}, "staged": {"run": "700"}}
        outputs |= {"chosen": chosen, "served": chosen}
        self.write("outputs.json", json.dumps({f"scripts/delivery.py {word}": value for word, value in outputs.items()}))
        self.write("files.json", json.dumps(FILES))
        self.fails("")
        staged = self.folder / "artifacts/700/staged"
        staged.mkdir(parents=True)
        (staged / "build.json").write_text("{}")
        given = Environment({"SSH_PRIVATE_KEY": SSH_KEY, "SIGNUPFLOW_AGE_KEY": AGE_KEY}, {"SIGNUPFLOW_INVENTORY": "hosts.py"})
        self.github = GitHubSide(
            origin=self.folder / "origin.git",
            folder=self.folder,
            repository="acme/signupflow",
            environments={
                "": Environment({"GITHUB_TOKEN": GITHUB_TOKEN}, {"IMAGE_NAME": "registry.test/app"}),
                **dict.fromkeys(("staging", "production-plan", "production"), given),
            },
            protected=("production",),
            approve=self._approve,
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def fails(self, beginning: str) -> None:
        """Commands that begin so end with an error."""
        self.write("fails", beginning)

    def commit(self) -> None:
        git(self.folder / "work", "add", "--all", "--force")
        git(self.folder / "work", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "x")
        self.sha = git(self.folder / "work", "rev-parse", "HEAD").strip()

    def run(self, workflow: str, event: str, **inputs: str) -> RunResult:
        (self.folder / "log").touch()
        return self.github.run(workflow, event, self.sha, inputs, programs=self.folder / "programs")

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    @property
    def commands(self) -> list[str]:
        return [entry["command"] for entry in self.log]

    def variables(self, command: str) -> dict[str, str]:
        """What a command found in its environment."""
        found: dict[str, str] = next(item for item in self.log if item["command"].startswith(command))["environment"]
        return found

    def _approve(self, environment: str, summaries: str) -> bool:
        self.asked.append((environment, summaries))
        return self.approving


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    return Noted(tmp_path)


def at(commands: list[str], beginning: str) -> int:
    return next(number for number, command in enumerate(commands) if command.startswith(beginning))


def test_us3_1_us3_2_us3_3_sc002_a_push_is_tested_built_scanned_pushed_and_deployed_to_staging(noted: Noted) -> None:
    done = noted.run("deploy-staging.yml", "push")
    assert done.result == "success", done.why()
    order = ["make check", "scripts/delivery.py build", "scripts/delivery.py gate", "scripts/delivery.py push"]
    places = [at(noted.commands, command) for command in (*order, ".venv/bin/signupflow deploy --yes")]
    assert places == sorted(places), noted.commands
    assert at(noted.commands, "sudo -E") < places[1]
    deployed = noted.variables(".venv/bin/signupflow deploy")
    assert (deployed["IMAGE"], deployed["SIGNUPFLOW_INVENTORY"]) == (IMAGE, "hosts.py")
    assert deployed["SIGNUPFLOW_AGE_KEY"] == AGE_KEY
    assert noted.variables("scripts/delivery.py access")["SSH_PRIVATE_KEY"] == SSH_KEY
    pushed = noted.variables("scripts/delivery.py push")
    assert (pushed["REGISTRY_USER"], pushed["REGISTRY_TOKEN"]) == ("somebody", GITHUB_TOKEN)
    assert not noted.asked
    # FR-009: a job that reaches no host gets none of its secrets, and nothing that the job before left in its home.
    for command in ("make check", "scripts/delivery.py build", "scripts/delivery.py gate"):
        assert not {"SSH_PRIVATE_KEY", "SIGNUPFLOW_AGE_KEY", "REGISTRY_TOKEN"} & set(noted.variables(command))
    homes = {entry["environment"]["HOME"] for entry in noted.log}
    assert len(homes) == len(done.jobs) == 7, homes
    kept = {path.name for path in (noted.folder / "artifacts/1").iterdir()}
    assert kept == {"image", "scan", "build", "staged", "reports-staging"}


@pytest.mark.parametrize("command", ["make check", "sudo -E"])
def test_fr010_nothing_is_built_or_deployed_when_a_suite_fails(noted: Noted, command: str) -> None:
    noted.fails(command)
    done = noted.run("deploy-staging.yml", "push")
    assert done.result == "failure"
    assert done.why().partition(": ")[2].startswith(command), done.why()
    assert not [item for item in noted.commands if "delivery.py" in item or "signupflow" in item]
    assert done.skipped == ["image", "deploy"]


def test_sec004_what_the_scan_refuses_is_neither_pushed_nor_deployed(noted: Noted) -> None:
    noted.fails("scripts/delivery.py gate")
    done = noted.run("deploy-staging.yml", "push")
    assert done.result == "failure"
    assert done.skipped == ["publish", "deploy"]
    assert not [item for item in noted.commands if item.startswith(("scripts/delivery.py push", ".venv/bin/signupflow"))]


def test_us3_3_a_deployment_that_failed_keeps_its_report_and_is_not_offered_to_production(noted: Noted) -> None:
    noted.fails(".venv/bin/signupflow deploy")
    assert noted.run("deploy-staging.yml", "push").result == "failure"
    kept = {path.name for path in (noted.folder / "artifacts/1").iterdir()}
    assert "reports-staging" in kept
    assert "staged" not in kept


def test_us3_4_production_waits_for_an_approval_with_the_plan_made_before(noted: Noted) -> None:
    done = noted.run("deploy-production.yml", "workflow_dispatch")
    assert done.result == "success", done.why()
    assert noted.asked == [("production", "\nwhat will be done\n")]
    planned, applied = at(noted.commands, ".venv/bin/signupflow plan"), at(noted.commands, ".venv/bin/signupflow apply")
    assert planned < at(noted.commands, "scripts/delivery.py show") < applied
    assert noted.variables(".venv/bin/signupflow plan")["IMAGE"] == IMAGE
    assert noted.variables("scripts/delivery.py tag")["COMMIT"] == noted.sha


def test_us3_4_without_the_approval_no_command_runs_on_production(noted: Noted) -> None:
    noted.approving = False
    done = noted.run("deploy-production.yml", "workflow_dispatch")
    assert done.result == "failure"
    assert done.why().startswith("deploy: actions/checkout\napproval wanted: production\nnot approved: production")
    assert done.skipped == ["tag"]
    assert not [item for item in noted.commands if "apply" in item or "delivery.py tag" in item]
    (deploy,) = [job for job in done.jobs if job.name == "deploy"]
    assert [step.label for step in deploy.steps.values() if step.outcome == "success"] == ["actions/upload-artifact"]


@pytest.mark.parametrize(("environment", "asked"), [("production", ["production"]), ("staging", [])])
def test_fr012_a_rollback_goes_where_it_was_told(noted: Noted, environment: str, asked: list[str]) -> None:
    assert noted.run("rollback.yml", "workflow_dispatch", environment=environment, version="1.10").result == "success"
    assert [name for name, _ in noted.asked] == asked
    assert noted.variables("scripts/delivery.py earlier")["VERSION"] == "1.10"


def test_us3_5_drift_is_told_also_when_there_is_some(noted: Noted) -> None:
    noted.fails("scripts/delivery.py drift")
    done = noted.run("drift.yml", "schedule")
    assert done.result == "success", done.why()
    assert noted.commands[-1] == "scripts/delivery.py issue"


def test_sec001_a_secret_that_a_step_prints_is_masked_in_the_log(noted: Noted) -> None:
    noted.write("says", "")
    done = noted.run("rollback.yml", "workflow_dispatch", environment="staging", version="1")
    assert "***" in done.log
    assert AGE_KEY not in done.log


def test_us3_ec5_a_second_run_of_a_group_waits_for_the_first(noted: Noted) -> None:
    """Nothing of the second has begun when the first is approved; going back waits for neither."""
    asked, go_on = threading.Event(), threading.Event()

    def approve(environment: str, summaries: str) -> bool:
        asked.set()
        return go_on.wait(60)

    noted.github.approve = approve
    promote = ("deploy-production.yml", "workflow_dispatch")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(noted.run, *promote)
        assert asked.wait(60)
        before = len(noted.log)
        assert noted.github.waits("deploy-production")
        second = pool.submit(noted.run, *promote)
        try:
            back = noted.run("rollback.yml", "workflow_dispatch", environment="staging", version="")
            since = noted.commands[before:]
        finally:
            go_on.set()
        runs = [first.result(), back, second.result()]
    assert [run.result for run in runs] == ["success"] * 3
    assert since[-1].startswith(".venv/bin/signupflow rollback")
    assert not [command for command in since if command.startswith("scripts/delivery.py staged")]
    assert runs[2].began >= runs[0].ended


def test_us3_1_an_event_that_starts_nothing_and_an_action_without_a_stand_in_are_refused(noted: Noted) -> None:
    with pytest.raises(ValueError, match=r"rollback\.yml is not started by push"):
        noted.run("rollback.yml", "push")
    path = noted.folder / "work/.github/workflows/drift.yml"
    path.write_text(path.read_text().replace("actions/download-artifact@", "somebody/else@"))
    noted.commit()
    git(noted.folder / "work", "push", "--quiet", str(noted.folder / "origin.git"), "main")
    with pytest.raises(ValueError, match="action somebody/else has no stand-in"):
        noted.run("drift.yml", "schedule")
