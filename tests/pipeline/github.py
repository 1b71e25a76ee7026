"""GitHub's side of a run, which act does not play: environments with their secrets, approvals, one run at a time in a group.

Small on purpose: what the workflows here do not need is refused by name, and docs/deployment/GITHUB_ACTIONS.md says what only
GitHub shows. A run's jobs, their order, conditions, expressions, outputs and commands are act's.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.delivery.workflows import Loader
from tests.pipeline import act, stand_ins

Values = Mapping[str, str]
USES = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")
RUNNER = "ubuntu-24.04=-self-hosted"
# Of this machine's environment: what finds programs and what lets them through its proxy. Nothing else comes along.
INHERITED = ("PATH", "LANG", "TMPDIR", "DOCKER_HOST")
INHERITED_ENDS = ("_PROXY", "_proxy", "_CA_BUNDLE", "_CERT_FILE", "_CERT")


@dataclass(frozen=True)
class Environment:
    """Secrets and variables of the repository, or of one environment."""

    secrets: Values = field(default_factory=dict)
    variables: Values = field(default_factory=dict)


@dataclass
class GitHubSide:
    """`origin`: the repository, bare. `environments`: by name, `""` for the repository's own.

    `approve(environment, summaries)` is asked before a job of an environment in `protected` begins.
    """

    origin: Path
    folder: Path
    repository: str
    environments: Mapping[str, Environment]
    protected: Sequence[str] = ()
    approve: Callable[[str, str], bool] = lambda environment, summaries: False
    told: Callable[[str], None] = lambda line: None
    api_url: str = "http://127.0.0.1:9"
    # What a checkout finds as .venv, so that nothing has to be installed.
    venv: Path | None = None
    queues: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def run(
        self,
        workflow: str,
        event: str,
        sha: str,
        inputs: Values | None = None,
        programs: Path | None = None,
        scan_finds: str = "nothing",
    ) -> act.RunResult:
        """What an event starts at a commit. What is in `programs` runs in the place of others of the name."""
        number = next(self.numbers)
        folder = self.folder / f"run-{number}"
        source = folder / "source"
        self._clone(source, sha)
        found = read(source, workflow)
        if event not in found["on"]:
            raise ValueError(f"{workflow} is not started by {event}")
        group = (found.get("concurrency") or {}).get("group", "")
        if "${{" in group:
            raise ValueError(f"{workflow}: concurrency group {group!r} is not played here")
        with self.queues[group] if group else nullcontext():
            return self._run(folder, workflow, found, event, inputs or {}, number, programs, scan_finds)

    def waits(self, group: str) -> bool:
        """Whether a run of a concurrency group is under way."""
        return self.queues[group].locked()

    def _run(
        self,
        folder: Path,
        workflow: str,
        found: Mapping[str, Any],
        event: str,
        inputs: Values,
        number: int,
        programs: Path | None,
        scan_finds: str,
    ) -> act.RunResult:
        environment_of = {
            name: INPUT.sub(lambda match: inputs[match[1]], job["environment"])
            for name, job in found["jobs"].items()
            if "environment" in job
        }
        waiting = {job: name for job, name in environment_of.items() if name in self.protected}
        answers = folder / "answers"
        os.mkfifo(answers, 0o600)
        # Open at both ends, so that neither side waits for the other to open it.
        answering = os.open(answers, os.O_RDWR)

        log = act.Log(told=self.told)

        def heard(job: str, line: str) -> None:
            if line.startswith(stand_ins.WANTED) and job in waiting:
                word = b"approved\n" if self.approve(waiting[job], log.summaries) else b"rejected\n"
                os.write(answering, word)

        log.heard = heard
        home = folder / "home"
        home.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if name in INHERITED or name.endswith(INHERITED_ENDS)},
            "HOME": str(home),
            "RUN_APPROVALS": json.dumps(waiting),
            "RUN_ANSWERS": str(answers),
            "RUN_ORIGIN": str(self.origin),
            "RUN_ARTIFACTS": str(self.folder / "artifacts"),
            "RUN_SCAN_FINDS": scan_finds,
            **({"RUN_VENV": str(self.venv)} if self.venv else {}),
        }
        if programs:
            environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        try:
            done = act.run(
                self._words(folder, workflow, event, inputs, number, set(environment_of.values())),
                folder / "source",
                environment,
                log,
            )
        finally:
            os.close(answering)
            for name in ("secrets.yml", "variables.yml"):
                (folder / name).unlink(missing_ok=True)
        done.number = number
        done.skipped = _did_not_begin(folder / "source", found, {job.name for job in done.jobs})
        return done

    def _words(self, folder: Path, workflow: str, event: str, inputs: Values, number: int, environments: set[str]) -> list[str]:
        """act's arguments. It knows no environments: one run gets the secrets of those that its jobs name, which agree here."""
        given: dict[str, dict[str, str]] = {"secrets": {}, "variables": {}}
        for name in sorted(environments):
            for kind, values in vars(self.environments.get(name, Environment())).items():
                for key, value in values.items():
                    if given[kind].setdefault(key, value) != value:
                        raise ValueError(f"{workflow}: {key} has two values in {sorted(environments)}, and act gives a run one")
        for kind, values in vars(self.environments.get("", Environment())).items():
            given[kind] = {**values, **given[kind]}
        files = {
            "secrets.yml": given["secrets"],
            "variables.yml": given["variables"],
            "event.json": {"ref": "refs/heads/main", "inputs": dict(inputs)},
        }
        for name, content in files.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(json.dumps(content))
        return [
            *(event, "--workflows", f".github/workflows/{workflow}", "--eventpath", str(folder / "event.json")),
            *("--platform", RUNNER, "--no-skip-checkout", "--no-cache-server", "--json", "--actor", "somebody"),
            *("--secret-file", str(folder / "secrets.yml"), "--var-file", str(folder / "variables.yml")),
            *("--env", f"GITHUB_API_URL={self.api_url}", "--env", f"GITHUB_RUN_ID={number}"),
            *_local(folder / "source", folder / "actions"),
        ]

    def _clone(self, source: Path, sha: str) -> None:
        source.parent.mkdir(parents=True)
        for words in (
            ("clone", "--quiet", str(self.origin), str(source)),
            ("-C", str(source), "checkout", "--quiet", "-B", "main", sha),
            # act reads the repository's name from it; nothing is fetched from there.
            ("-C", str(source), "remote", "set-url", "origin", f"https://github.com/{self.repository}"),
        ):
            subprocess.run(["git", *words], check=True, capture_output=True)


def read(source: Path, workflow: str) -> dict[str, Any]:
    """A workflow file of a commit."""
    found: dict[str, Any] = yaml.load((source / ".github/workflows" / workflow).read_text(), Loader)
    if not isinstance(found["on"], dict):
        found["on"] = dict.fromkeys([found["on"]] if isinstance(found["on"], str) else found["on"])
    return found


def _local(source: Path, actions: Path) -> list[str]:
    """act's options that put a stand-in in the place of every action of every workflow; one that has none is an error here.

    act would fetch it from GitHub.
    """
    given: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path in (source / ".github/workflows").glob("*.yml"):
        for job in read(source, path.name)["jobs"].values():
            for step in job.get("steps", ()):
                if match := USES.fullmatch(step.get("uses", "")):
                    given[match["name"], match["commit"]] |= set(step.get("with", ()))
    options = []
    for (name, commit), inputs in sorted(given.items()):
        if name not in stand_ins.ACTIONS:
            raise ValueError(f"action {name} has no stand-in in tests/pipeline/stand_ins.py")
        folder = actions / name.replace("/", "-")
        folder.mkdir(parents=True)
        command = shlex.join([sys.executable, "-I", "-S", stand_ins.__file__, name])
        action = {
            "name": name,
            "description": "a stand-in",
            "inputs": {item: {"description": "handed on"} for item in sorted(inputs)},
            "runs": {"using": "composite", "steps": [{"shell": "bash", "run": command}]},
        }
        (folder / "action.yml").write_text(json.dumps(action))
        options += ["--local-repository", f"{name}@{commit}={folder}"]
    return options


def _did_not_begin(source: Path, found: Mapping[str, Any], begun: set[str]) -> list[str]:
    """Jobs of a workflow that did not begin; of a called one that did, its own."""
    names = []
    for name, job in found["jobs"].items():
        inner = list(read(source, Path(job["uses"]).name)["jobs"]) if "uses" in job else [name]
        missing = [item for item in inner if item not in begun]
        names += [name] if len(missing) == len(inner) else missing
    return names
