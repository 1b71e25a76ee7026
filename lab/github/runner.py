"""A runner: plays a workflow's jobs one after another, each in a new folder, each step's command by bash as GitHub runs it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.github.expressions import ExpressionError, as_text, evaluated, filled, truthy
from lab.github.workflow import Job, Step, Workflow, WorkflowError, read

SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"
# Of this machine's environment: what finds programs and what lets them through its proxy. Nothing else comes along.
INHERITED = ("PATH", "LANG", "TMPDIR", "DOCKER_HOST")
INHERITED_ENDS = ("_PROXY", "_proxy", "_CA_BUNDLE", "_CERT_FILE", "_CERT")


@dataclass(frozen=True)
class Play:
    """What an action's stand-in is given: its `with`, the job's folder, and the runner."""

    arguments: Mapping[str, str]
    workspace: Path
    sha: str
    runner: Runner


Action = Callable[[Play], Mapping[str, str]]


@dataclass
class StepResult:
    label: str
    outcome: str
    seconds: float
    said: str = ""


@dataclass
class JobResult:
    name: str
    result: str
    outputs: dict[str, Any] = field(default_factory=dict)
    steps: list[StepResult] = field(default_factory=list)
    summary: str = ""


@dataclass
class RunResult:
    """A workflow run: its jobs, the sub-workflows' among them, and how it ended."""

    workflow: str
    jobs: list[JobResult]
    outputs: dict[str, Any]
    began: float = 0.0
    ended: float = 0.0

    @property
    def result(self) -> str:
        return FAILURE if any(job.result == FAILURE for job in self.jobs) else SUCCESS

    @property
    def seconds(self) -> float:
        return round(sum(step.seconds for job in self.jobs for step in job.steps), 1)

    def why(self) -> str:
        """The step that failed, with the end of what it said."""
        for job in self.jobs:
            for step in job.steps:
                if job.result == FAILURE and step.outcome == FAILURE:
                    return f"{job.name}: {step.label}\n{step.said[-1500:]}"
        return ""


@dataclass
class Runner:
    """`repository`: where a checkout clones from. `actions`: stand-ins by name.
    `environments`: name to its secrets and variables (`secrets`, `vars`).

    `approve(environment, summaries)` is asked before a job of an environment in `protected`; False ends the run there.
    """

    repository: Path
    folder: Path
    actions: Mapping[str, Action]
    environments: Mapping[str, Mapping[str, Mapping[str, str]]]
    protected: tuple[str, ...] = ()
    # What is run in the place of a step's command: for steps that have been seen elsewhere, or take too long here.
    replaced: Callable[[str], str] = lambda command: command
    approve: Callable[[str, str], bool] = lambda environment, summaries: False
    told: Callable[[str], None] = lambda line: None
    # One for each concurrency group: a run waits for the one before it in its group.
    queues: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _count: int = 0

    def run(
        self, workflow: Path, github: Mapping[str, Any], inputs: Mapping[str, Any] | None = None, event: str = ""
    ) -> RunResult:
        """Play a workflow for an event. `github`: the context, `sha`, `ref`, `actor` and the rest."""
        found = read(workflow)
        event = event or str(github.get("event_name", ""))
        if event not in found.events:
            raise WorkflowError(f"{workflow.name} is not started by {event}")
        given = {**found.inputs(event), **(inputs or {})}
        # A called workflow runs in its caller's turn.
        group = "" if event == "workflow_call" else as_text(filled(found.concurrency.get("group", ""), {"github": github}, {}))
        with self.queues[group] if group else nullcontext():
            began = time.time()
            jobs, outputs = self._jobs(found, github, given)
            return RunResult(found.name, jobs, outputs, began, time.time())

    def _jobs(
        self, found: Workflow, github: Mapping[str, Any], given: Mapping[str, Any]
    ) -> tuple[list[JobResult], dict[str, Any]]:
        results: dict[str, JobResult] = {}
        flat: list[JobResult] = []
        for job in found.jobs:
            contexts = {
                "github": github,
                "inputs": given,
                "needs": {name: {"result": results[name].result, "outputs": results[name].outputs} for name in job.needs},
                "env": {},
            } | self._given("")
            results[job.name] = self._job(found, job, contexts, [results[name] for name in job.needs], flat)
        contexts = {"jobs": {name: {"outputs": item.outputs} for name, item in results.items()}}
        outputs = {name: filled(text, contexts, {}) for name, text in found.outputs.items()}
        return flat, outputs

    def _job(
        self, workflow: Workflow, job: Job, contexts: dict[str, Any], needed: list[JobResult], flat: list[JobResult]
    ) -> JobResult:
        well = all(item.result == SUCCESS for item in needed)
        if not _wanted(job.condition, well, contexts):
            result = JobResult(job.name, SKIPPED)
            flat.append(result)
            return result
        if job.calls:
            arguments = {name: filled(value, contexts, {}) for name, value in job.arguments.items()}
            path = workflow.path.parent / Path(job.calls).name
            called = self.run(path, contexts["github"], arguments, event="workflow_call")
            flat.extend(called.jobs)
            return JobResult(job.name, called.result, called.outputs)
        environment = as_text(filled(job.environment, contexts, {}))
        if environment in self.protected and not self.approve(environment, "\n".join(item.summary for item in flat)):
            result = JobResult(job.name, FAILURE, steps=[StepResult(f"approval of {environment}", FAILURE, 0, "not approved")])
            flat.append(result)
            return result
        result = self._steps(workflow, job, contexts | self._given(environment))
        flat.append(result)
        return result

    def _given(self, environment: str) -> dict[str, Mapping[str, str]]:
        """Secrets and variables of the repository, and over them those of the job's environment."""
        found = [self.environments.get(name, {}) for name in ("", environment)]
        return {kind: {key: value for item in found for key, value in item.get(kind, {}).items()} for kind in ("secrets", "vars")}

    def _steps(self, workflow: Workflow, job: Job, contexts: dict[str, Any]) -> JobResult:
        self._count += 1
        folder = self.folder / f"{self._count:02}-{workflow.path.stem}-{job.name}"
        workspace = folder / "workspace"
        workspace.mkdir(parents=True)
        (folder / "home").mkdir(mode=0o700)
        contexts = {
            "secrets": {},
            "vars": {},
            **contexts,
            "steps": {},
            "runner": {"temp": str(folder)},
            "job": {"status": SUCCESS},
        }
        files = {name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        result = JobResult(job.name, SUCCESS)
        for step in job.steps:
            if not _wanted(step.condition, result.result == SUCCESS, contexts):
                continue
            for path in files.values():
                if path.name != "github_step_summary":
                    path.write_text("")
            self.told(f"{workflow.name} / {job.name} / {step.label}")
            began = time.monotonic()
            try:
                code, said, outputs = self._step(workflow, job, step, contexts, workspace, files)
            except ExpressionError as error:
                raise WorkflowError(f"{workflow.path.name}, job {job.name}, {step.label}: {error}") from None
            outcome = FAILURE if code else SUCCESS
            result.steps.append(StepResult(step.label, outcome, round(time.monotonic() - began, 1), said))
            if code and not step.may_fail:
                result.result = FAILURE
            if step.identifier:
                contexts["steps"][step.identifier] = {"outputs": outputs, "outcome": outcome}
        summary = files["GITHUB_STEP_SUMMARY"]
        result.summary = summary.read_text() if summary.exists() else ""
        result.outputs = {name: filled(text, contexts, {}) for name, text in job.outputs.items()}
        return result

    def _step(
        self, workflow: Workflow, job: Job, step: Step, contexts: dict[str, Any], workspace: Path, files: Mapping[str, Path]
    ) -> tuple[int, str, Mapping[str, str]]:
        """Exit code, what was said, and the step's outputs."""
        variables: dict[str, str] = {}
        for source in (workflow.variables, job.variables, step.environment):
            known = contexts | {"env": variables}
            variables |= {name: as_text(filled(value, known, {})) for name, value in source.items()}
        known = contexts | {"env": variables}
        github = contexts["github"]
        if step.action:
            if step.action not in self.actions:
                raise WorkflowError(f"{workflow.path.name}, job {job.name}: action {step.action} has no stand-in here")
            arguments = {name: as_text(filled(value, known, {})) for name, value in step.arguments.items()}
            try:
                return 0, "", self.actions[step.action](Play(arguments, workspace, str(github["sha"]), self))
            except (OSError, KeyError, RuntimeError, subprocess.CalledProcessError) as error:
                return 1, f"{step.action}: {type(error).__name__}: {error}", {}
        script = workspace.parent / "step.sh"
        command = as_text(filled(step.script, known, {}))
        script.write_text(self.replaced(command))
        environment = {
            **{name: value for name, value in os.environ.items() if name in INHERITED or name.endswith(INHERITED_ENDS)},
            **{f"GITHUB_{name.upper()}": as_text(value) for name, value in github.items() if isinstance(value, str)},
            **{name: str(path) for name, path in files.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(workspace),
            # A runner is a new machine: nobody's keys and logins are there, and none of this job stay.
            "HOME": str(workspace.parent / "home"),
            "RUNNER_TEMP": str(workspace.parent),
            **variables,
        }
        done = subprocess.run(
            ["bash", "-e", str(script)],
            cwd=workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        return done.returncode, done.stdout, _outputs(files["GITHUB_OUTPUT"].read_text())


def _wanted(condition: str, well: bool, contexts: Mapping[str, Any]) -> bool:
    """Whether a job or step runs: without a status function in its condition, only when all before it went well."""
    functions = {"success": lambda: well, "failure": lambda: not well, "always": lambda: True, "cancelled": lambda: False}
    if not condition:
        return well
    value = truthy(evaluated(condition, contexts, functions))
    return value if any(f"{name}()" in condition for name in functions) else value and well


def _outputs(text: str) -> dict[str, str]:
    """`name=value` lines of GITHUB_OUTPUT. Values of several lines (`name<<END`) are not written here, and not read."""
    if "<<" in text:
        raise WorkflowError("an output of several lines is not played here")
    return {name: value for name, equals, value in (line.partition("=") for line in text.splitlines()) if equals}
