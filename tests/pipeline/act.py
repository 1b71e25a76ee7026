"""One run of a workflow by `act` (https://github.com/nektos/act), without containers, and what its log says of jobs and steps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACT = str(Path(sys.executable).with_name("act"))
SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"
PINNED = re.compile(r"@[0-9a-f]{40}$")


@dataclass
class StepResult:
    label: str
    outcome: str = ""
    seconds: float = 0.0
    said: str = ""


@dataclass
class JobResult:
    """One job that began, by its id in the workflow file; its steps in the order in which they began."""

    name: str
    result: str = ""
    steps: dict[str, StepResult] = field(default_factory=dict)
    summary: str = ""


@dataclass
class RunResult:
    """A workflow run: the jobs that began, those of called workflows among them."""

    code: int
    jobs: list[JobResult]
    began: float
    ended: float
    # All that was printed, with secrets masked as act masks them.
    log: str
    # Names of the jobs that did not begin, and GitHub's number of the run.
    skipped: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def result(self) -> str:
        return FAILURE if self.code else SUCCESS

    @property
    def seconds(self) -> float:
        return round(sum(step.seconds for job in self.jobs for step in job.steps.values()), 1)

    def why(self) -> str:
        """The step that failed, with the end of what it said; act's own last words when none did."""
        for job in self.jobs:
            for step in job.steps.values():
                if job.result == FAILURE and step.outcome == FAILURE:
                    return f"{job.name}: {step.label}\n{step.said[-1500:]}"
        return self.log[-1500:] if self.code else ""


@dataclass
class Log:
    """act's log, read line by line. `heard` gets each line that a step prints, while the step waits in front of its next."""

    heard: Callable[[str, str], None] = lambda job, line: None
    told: Callable[[str], None] = lambda line: None
    jobs: dict[str, JobResult] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:  # before its log begins and after its end act writes plain lines
                entry = {"msg": line}
            self.lines.append(str(entry.get("msg", "")).rstrip("\n"))
            if "jobID" in entry:
                self._of_job(entry, self.jobs.setdefault(entry["job"], JobResult(entry["jobID"])))

    @property
    def summaries(self) -> str:
        return "\n".join(job.summary for job in self.jobs.values())

    def _of_job(self, entry: Mapping[str, Any], job: JobResult) -> None:
        job.result = entry.get("jobResult", job.result)
        if entry.get("stage") != "Main":
            return
        # A composite action's steps are named after the action's and have longer ids; they are part of it.
        number, inner = entry["stepID"][0], len(entry["stepID"]) > 1
        if number not in job.steps:
            job.steps[number] = StepResult(PINNED.sub("", entry["step"]))
            self.told(f"{entry['job']} / {job.steps[number].label}")
        step = job.steps[number]
        if entry.get("raw_output"):
            step.said += entry["msg"]
            self.heard(job.name, entry["msg"].rstrip("\n"))
        elif entry.get("command") == "summary":
            job.summary += entry["content"]
        elif "stepResult" in entry and not inner:
            step.outcome, step.seconds = entry["stepResult"], round(entry.get("executionTime", 0) / 1e9, 1)


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str], log: Log) -> RunResult:
    """`act WORDS` in a folder, with nothing else in its environment."""
    began = time.time()
    with subprocess.Popen(
        [ACT, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        assert running.stdout is not None
        log.read(running.stdout)
    return RunResult(running.returncode, list(log.jobs.values()), began, time.time(), "\n".join(log.lines))
