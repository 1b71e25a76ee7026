"""Branch names, tags, inputs and commit messages with shell in them run nothing.

First each step's command is run by bash as GitHub runs it, its variables hostile, with programs in place of the real ones that
only write down what they were called with. Then the real programs get the same values.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline.build import Build
from signupflow.cli.running import Target
from tests.delivery.fake_github import serving
from tests.delivery.program import called, run
from tests.delivery.test_build import COMMIT, CONFIG, MADE
from tests.delivery.workflows import Step, commands

CANARY = "canary"
PAYLOADS = {
    "substitution": f"$(touch {CANARY})",
    "backticks": f"`touch {CANARY}`",
    "semicolon": f";touch {CANARY};",
    "and": f"x && touch {CANARY} || touch {CANARY}",
    "pipe": f"x | touch {CANARY} & touch {CANARY}",
    "newline": f"x\ntouch {CANARY}\n",
    "quotes": f'"; touch {CANARY}; \'; touch {CANARY}; "',
    "closing": f'" $(touch {CANARY}) "',
    "redirect": f"x > {CANARY}",
    "option": f"--output={CANARY}",
    "help": "--help",
    "yes": "-y",
    "expression": f"${{{{ github.token }}}} $(touch {CANARY})",
    "command": f"::set-output name=image::x\n::stop-commands::{CANARY}",
    "words": f"a {CANARY} *  ~ b",
    "process": f"<(touch {CANARY})",
    "branch": f"refs/heads/main$IFS$(touch${{IFS}}{CANARY})",
}
# A program that writes down how it was called, word by word, and does nothing.
WITNESS = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" END >> "$WITNESS"
"""
PROGRAMS = (
    "make",
    "sudo",
    "python",
    "python3",
    "docker",
    "git",
    "ssh",
    "pyinfra",
    "gh",
    "curl",
    "scripts/delivery.py",
    ".venv/bin/signupflow",
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout in which every program is a witness."""
    for name in PROGRAMS:
        there = tmp_path / name if "/" in name else tmp_path / "bin" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(WITNESS)
        there.chmod(0o755)
    return tmp_path


def as_github_runs(step: Step, place: Path, payload: str) -> list[list[str]]:
    """The default shell is `bash -e FILE`; every variable of the step holds the payload. What was called is returned."""
    script, said = place / "step.sh", place / "witness"
    script.write_text(step.run)
    hostile = dict.fromkeys(step.env, payload)
    done = subprocess.run(
        ["bash", "-e", str(script)],
        cwd=place,
        env={**hostile, "PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(place), "WITNESS": str(said)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [call.split("\0") for call in said.read_text().split("\0END\0") if call]


@pytest.mark.parametrize("step", commands(), ids=str)
def test_sec004_no_step_s_shell_runs_or_splits_a_hostile_value(step: Step, place: Path) -> None:
    for name, payload in PAYLOADS.items():
        (place / "witness").unlink(missing_ok=True)
        calls = as_github_runs(step, place, payload)
        assert not list(place.rglob(CANARY)), f"{name} ran in {step.run}"
        words = shlex.split(re.sub(r"\$PATH", "PATH", step.run))
        assert len(calls) == 1, f"{name}: {calls}"
        (call,) = calls
        assert len(call) == len(words), f"{name} was split or lost: {call}"
        for written, given in zip(words[1:], call[1:], strict=True):
            variable = next((found for found in re.findall(r"\$([A-Z_]+)", written) if found in step.env), "")
            assert given == (written.replace(f"${variable}", payload) if variable else written) or written == "PATH=PATH"


def test_sec004_a_value_that_is_an_argument_of_its_own_cannot_be_an_option() -> None:
    """In front of it stands `--`, or it is behind a name and an equals sign."""
    for step in commands():
        words = shlex.split(step.run)
        for number, word in enumerate(words):
            if word.startswith("$"):
                assert words[number - 1] == "--", step.run
            elif "$" in word and word != "PATH=$PATH":
                assert re.fullmatch(r"[a-z_]+=\$[A-Z_]+", word), step.run


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_sec004_the_programs_refuse_hostile_values_or_pass_them_on_as_one_word(payload: str, place: Path) -> None:
    """No docker, no git and no ssh is called with one; what cannot be what it should be is refused before."""
    folder = place / "work"
    (folder / "delivery").mkdir(parents=True)
    with serving() as github:
        variables = {**github.environment, "HOME": str(folder)}
        refused = {
            ("build",): {"IMAGE_NAME": payload},
            ("fetch",): {"IMAGE": payload, "REGISTRY_USER": payload, "REGISTRY_TOKEN": ""},
            ("access",): {"SSH_PRIVATE_KEY": payload, "SSH_KNOWN_HOSTS": payload},
            ("staged",): {"STAGING_RUN": payload},
            ("drift",): {"IMAGE": payload, "COMMIT": payload, "ENVIRONMENT": payload},
            ("tag",): {"TAG": payload, "COMMIT": payload, "ENVIRONMENT": payload},
            ("tag", "--environment", "production"): {"TAG": payload, "COMMIT": COMMIT},
        }
        for words, given in refused.items():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PATH", f"{place / 'bin'}:/usr/bin:/bin")
                patch.setenv("WITNESS", str(place / "witness"))
                patch.setattr("pipeline.source.of_head", lambda _root: _Head())
                done = called(folder, *words, **variables, **given)
            assert done.returncode == 1, (words, done.stdout)
            assert done.stderr.startswith("Error: "), (words, done.stderr)
        assert github.changes == []
    assert not list(place.rglob(CANARY))
    called_programs = (place / "witness").read_text() if (place / "witness").exists() else ""
    assert CANARY not in called_programs


class _Head:
    commit = COMMIT


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_sec004_pyinfra_gets_a_hostile_version_as_one_word_behind_a_name(payload: str) -> None:
    command = Target("inventory.py").command("rollback", "-y", rollback_to=payload)
    assert command == ["pyinfra", "inventory.py", "deploys/rollback.py", "-y", "--data", f"rollback_to={payload}"]


def test_sec004_a_record_from_a_run_is_checked_before_it_is_handed_on(tmp_path: Path) -> None:
    """What an artifact holds is as little trusted as an input."""
    (tmp_path / "delivery").mkdir()
    record = tmp_path / "delivery" / "build.json"
    good = MADE.pushed("sha256:" + "a" * 64)
    for field in ("name", "tag", "commit", "config", "digest"):
        for payload in PAYLOADS.values():
            record.write_text(json.dumps({**json.loads(good.as_json()), field: payload}))
            done = called(tmp_path, "chosen")
            assert done.returncode == 1, (field, payload)
    assert not (tmp_path / "output").exists()
    record.write_text(Build(MADE.name, MADE.tag, COMMIT, CONFIG).as_json())
    assert called(tmp_path, "chosen").returncode == 1, "not pushed yet"
    record.write_text(good.as_json())
    done = run(tmp_path, "chosen", variables={})
    assert done.returncode == 0, done.stderr
    assert f"image={good.reference}\n" in (tmp_path / "output").read_text()


def test_sec004_a_plan_that_holds_markdown_stays_in_its_block(tmp_path: Path) -> None:
    plan = {
        "format": 2,
        "made": "t",
        "by": "ada",
        "command": ["pyinfra"],
        "sources": {},
        "inputs": {},
        "hosts": {},
        "text": "```\n# approve me\n\x1b[31mred\x1b[0m",
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    done = run(tmp_path, "show", variables={})
    assert done.returncode == 0, done.stderr
    assert "````text\n```\n# approve me\nred\n````" in (tmp_path / "summary.md").read_text()
    (tmp_path / "plan.json").write_text("{}")
    assert run(tmp_path, "show", variables={}).returncode == 1
