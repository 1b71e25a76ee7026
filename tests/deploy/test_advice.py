"""What messages tell people to do is safe to type as it stands, where they are likely to read it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from lab.client import ROOT
from signupflow import engine_client, images, secretfile
from signupflow.cli import main
from signupflow.errors import OperatorError

# The code that speaks to operators.
SPEAKS = ("config.py", "deploys", "facts", "operations", "signupflow")
# These are about no environment, or have a file that names it.
HERE = {"init", "secrets", "completion", "apply"}
ALLOWED = {"signupflow/dryrun.py": ["`signupflow plan"]}
LAB = re.compile(r"python -m lab|\blab (up|down|lose|cut|inventory)\b|make demo")


def signupflow(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "signupflow", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a37_nothing_that_operators_read_sends_them_to_the_lab() -> None:
    files = [path for name in SPEAKS for path in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))]
    assert len(files) > 100
    assert [str(path.relative_to(ROOT)) for path in files if LAB.search(path.read_text())] == []


# Verbs of an environment: typed without its inventory they go to production.
OF_AN_ENVIRONMENT = re.compile(rf"`signupflow ({'|'.join(sorted(name for name in main.commands if name not in HERE))})\b")
# Docstrings are help, and name the verb itself.
SAID = re.compile(r'"""[\s\S]*?"""|#.*')


def test_a37_what_a_message_says_to_type_names_its_inventory() -> None:
    """By `advice.command`; on a host, which knows no inventory, by a word that must be replaced."""
    files = [path for name in (*SPEAKS, "backup") for path in sorted((ROOT / name).rglob("*.py"))]
    found = {
        str(path.relative_to(ROOT)): sorted({match[0] for match in OF_AN_ENVIRONMENT.finditer(SAID.sub("", path.read_text()))})
        for path in files
    }
    assert {path: said for path, said in found.items() if said} == ALLOWED


def test_a37_without_docker_the_advice_is_about_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_client.docker_client.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError))
    try:
        with pytest.raises(OperatorError, match=r"no Docker Engine answers on this machine: start it"):
            engine_client.docker_client()
    finally:
        engine_client.docker_client.cache_clear()


@pytest.mark.parametrize(
    ("code", "out", "said"),
    [
        (0, "", "printed nothing: check `docker version`"),
        (0, "[]\n", "`docker image inspect app:1` printed []: check `docker version`"),
        (0, "not json\n", "printed not json: check"),
        (1, "", "did not answer: exit code 1"),
    ],
)
def test_an_engine_that_answers_nothing_about_an_image_is_one_line(
    monkeypatch: pytest.MonkeyPatch, code: int, out: str, said: str
) -> None:
    monkeypatch.setattr(images, "docker_client", lambda: "docker")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], code, out, ""))
    with pytest.raises(OperatorError) as refused:
        images.inspect("app:1")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["# A readme\n", "{}", "[]"])
def test_a37_a_file_that_is_no_plan_is_neither_applied_nor_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    applied = signupflow("apply", str(path))
    assert applied.returncode == 2
    assert " -o " not in applied.stderr, "what it says would have replaced the file"
    planned = signupflow("plan", "-o", str(path), "-i", "nowhere.py")
    assert planned.returncode == 2
    assert f"Error: {path} is there and is no plan: name another file with --output" in planned.stderr
    assert path.read_text() == text


def test_a37_a_secrets_file_that_is_missing_is_not_made_anew(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    with pytest.raises(OperatorError, match=r"bring it there, or name another in secrets_file") as refused:
        secretfile.decrypt(tmp_path / "production.age", identity)
    assert "secrets.py init" not in str(refused.value), "of an environment that serves, new secrets would be another's"
