"""The workflow files as data: every step, with the variables that its command sees."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lab.client import ROOT

FOLDER = ROOT / ".github" / "workflows"


class Loader(yaml.SafeLoader):
    """YAML 1.2's truth values: `on` is a word."""


Loader.yaml_implicit_resolvers = {
    letter: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Step:
    """One step. `env` is its own on top of its job's and its workflow's, expressions unevaluated."""

    workflow: str
    job: str
    number: int
    env: Mapping[str, str]
    raw: Mapping[str, Any]

    @property
    def run(self) -> str:
        return str(self.raw.get("run", ""))

    @property
    def uses(self) -> str:
        return str(self.raw.get("uses", ""))

    @property
    def given(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw.get("with", {})
        return found

    def __str__(self) -> str:
        return f"{self.workflow}/{self.job}/{self.number}"


@functools.cache
def workflows() -> Mapping[str, Mapping[str, Any]]:
    """File name without its ending to what it says."""
    return {path.stem: yaml.load(path.read_text(), Loader) for path in sorted(FOLDER.glob("*.yml"))}


def jobs() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for workflow, found in workflows().items():
        for name, job in found["jobs"].items():
            yield workflow, name, job


def steps() -> list[Step]:
    return [
        Step(workflow, name, number, {**workflows()[workflow].get("env", {}), **job.get("env", {}), **raw.get("env", {})}, raw)
        for workflow, name, job in jobs()
        for number, raw in enumerate(job.get("steps", ()), 1)
    ]


def commands() -> list[Step]:
    return [step for step in steps() if step.run]
