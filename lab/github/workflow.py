"""A workflow file as data. What is not understood here is refused by name, so that nothing is played other than GitHub would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

WORKFLOW = {"name", "run-name", "on", "permissions", "concurrency", "env", "jobs", "defaults"}
JOB = {
    *("name", "runs-on", "timeout-minutes", "permissions", "needs", "if", "environment", "env", "outputs", "steps"),
    *("uses", "with", "secrets", "concurrency"),
}
STEP = {"name", "id", "if", "env", "run", "uses", "with", "timeout-minutes", "continue-on-error"}


class WorkflowError(ValueError):
    """A workflow file that cannot be played here: which, where, and what is not understood."""


@dataclass(frozen=True)
class Step:
    """One step: a `run` or a `uses`."""

    label: str
    identifier: str
    condition: str
    environment: Mapping[str, Any]
    script: str
    action: str
    arguments: Mapping[str, Any]
    may_fail: bool = False


@dataclass(frozen=True)
class Job:
    """One job: its steps, or another workflow that it calls."""

    name: str
    needs: tuple[str, ...]
    condition: str
    environment: str
    variables: Mapping[str, Any]
    outputs: Mapping[str, str]
    steps: tuple[Step, ...]
    calls: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Workflow:
    """A file of .github/workflows. `events`: what starts it, each with its settings."""

    path: Path
    name: str
    events: Mapping[str, Any]
    concurrency: Mapping[str, Any]
    variables: Mapping[str, Any]
    jobs: tuple[Job, ...]

    @property
    def outputs(self) -> Mapping[str, str]:
        """What a caller gets: name to expression."""
        called = self.events.get("workflow_call") or {}
        return {name: item["value"] for name, item in (called.get("outputs") or {}).items()}

    def inputs(self, event: str) -> Mapping[str, Any]:
        """Defaults of the inputs that an event may bring."""
        settings = self.events.get(event) or {}
        return {name: (item or {}).get("default") for name, item in (settings.get("inputs") or {}).items()}


def read(path: Path) -> Workflow:
    """A workflow file, its jobs in an order in which each comes after those that it needs."""
    found = yaml.safe_load(path.read_text())
    # YAML 1.1 reads the bare word `on` as true.
    found["on"] = found.pop(True, found.get("on"))
    _only(found, WORKFLOW, path.name)
    events = found["on"]
    if not isinstance(events, Mapping):
        events = dict.fromkeys([events] if isinstance(events, str) else events)
    jobs = {name: _job(name, text, path) for name, text in found["jobs"].items()}
    concurrency = found.get("concurrency") or {}
    return Workflow(
        path,
        found.get("name", path.stem),
        events,
        {"group": concurrency} if isinstance(concurrency, str) else concurrency,
        found.get("env") or {},
        tuple(_ordered(jobs, path)),
    )


def _job(name: str, text: Mapping[str, Any], path: Path) -> Job:
    where = f"{path.name}, job {name}"
    _only(text, JOB, where)
    environment = text.get("environment") or ""
    needs = text.get("needs") or ()
    return Job(
        name=name,
        needs=(needs,) if isinstance(needs, str) else tuple(needs),
        condition=_condition(text),
        environment=environment if isinstance(environment, str) else environment["name"],
        variables=text.get("env") or {},
        outputs=text.get("outputs") or {},
        steps=tuple(_step(item, number, where) for number, item in enumerate(text.get("steps") or (), 1)),
        calls=text.get("uses", ""),
        arguments=text.get("with") or {},
    )


def _step(text: Mapping[str, Any], number: int, where: str) -> Step:
    _only(text, STEP, f"{where}, step {number}")
    if ("run" in text) == ("uses" in text):
        raise WorkflowError(f"{where}, step {number} needs one of run and uses")
    return Step(
        label=text.get("name") or text.get("run", "").strip().partition("\n")[0] or text["uses"].partition("@")[0],
        identifier=text.get("id", ""),
        condition=_condition(text),
        environment=text.get("env") or {},
        script=text.get("run", ""),
        action=text.get("uses", "").partition("@")[0],
        arguments=text.get("with") or {},
        may_fail=bool(text.get("continue-on-error")),
    )


def _condition(text: Mapping[str, Any]) -> str:
    condition = str(text.get("if", "")).strip()
    return condition.removeprefix("${{").removesuffix("}}").strip() if condition.startswith("${{") else condition


def _only(text: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(str(key) for key in set(text) - known):
        raise WorkflowError(f"{where}: {', '.join(unknown)} is not played here")


def _ordered(jobs: dict[str, Job], path: Path) -> list[Job]:
    order: list[Job] = []
    while len(order) < len(jobs):
        ready = [job for job in jobs.values() if job not in order and {item.name for item in order} >= set(job.needs)]
        if not ready:
            raise WorkflowError(f"{path.name}: jobs need each other, or one that is not there")
        order.append(ready[0])
    return order
