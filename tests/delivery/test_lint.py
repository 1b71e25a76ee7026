"""Workflows, Dockerfiles, shell scripts and the whole history have no findings; and a secret that is committed is one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lab.client import ROOT

BIN = Path(sys.executable).parent
RULES = ROOT / ".gitleaks.toml"
# Made up, and put together only here, so that this file holds none.
LETTERS = "qPzRy9X8gF2TvdW0s3JN54kHcE6mUA7L" * 2
MARKERS = {
    "key.txt": "AGE-SECRET-KEY-1" + LETTERS.upper()[:58],
    "notes.md": "ghp" + "_" + LETTERS[:36],
    "settings.py": "pass" + 'word = "tr0ub4dor-and-3"',
    "production.env": "POSTGRES_" + "PASSWORD=" + LETTERS[:24],
    "app.yml": "url: postgresql://app:" + LETTERS[:20] + "@db/app",
    "id_ed25519": "-----BEGIN OPENSSH PRIVATE " + f"KEY-----\n{LETTERS}\n{LETTERS[::-1]}\n-----END OPENSSH PRIVATE " + "KEY-----",
    "storage.py": "secret_access" + f"_key = '{LETTERS[:40]}'",
    "group_data.py": "app_secret" + f"_key = '{LETTERS[:50]}'",
}
TOKEN = MARKERS["notes.md"]


def test_us3_sec004_linters_and_the_search_for_secrets_find_nothing() -> None:
    done = subprocess.run([ROOT / "scripts" / "lint", BIN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split()[1].rsplit("/", 1)[-1] for line in done.stdout.splitlines() if line.startswith("== ")]
    assert ran == ["zizmor", "hadolint", "shellcheck", "gitleaks", "gitleaks", "gitleaks"], "none is left out"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With this project's rules and program, and nothing else to lint."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    shutil.copy(RULES, tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "lint", tmp_path / "scripts")
    commit(tmp_path, "README", "nothing to see\n")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(folder), *name, *words], check=True, capture_output=True, text=True).stdout


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", f"Changes {name}")


def scan(repository: Path) -> subprocess.CompletedProcess[str]:
    """scripts/lint as it is, its other linters left out by programs of their names that do nothing."""
    programs = repository.parent / f"{repository.name}-bin"
    programs.mkdir(exist_ok=True)
    for name in ("zizmor", "hadolint", "shellcheck"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    if not (programs / "gitleaks").exists():
        (programs / "gitleaks").symlink_to(BIN / "gitleaks")
    return subprocess.run([repository / "scripts" / "lint", programs], capture_output=True, text=True, check=False)


def test_sec001_each_kind_of_secret_in_the_history_is_found_after_it_was_taken_out(repository: Path) -> None:
    assert scan(repository).returncode == 0
    for name, secret in MARKERS.items():
        commit(repository, name, f"before\n{secret}\n")
    where = {name: git(repository, "log", "-1", "--format=%H", "--", name).strip() for name in MARKERS}
    for name in MARKERS:
        commit(repository, name, "before\n")
    done = scan(repository)
    assert done.returncode == 1, done.stdout
    found = {
        lines["File"]: lines["Commit"]
        for part in done.stdout.split("\n\n")
        if (lines := {key: value.strip() for key, _, value in (line.partition(":") for line in part.splitlines())}).get("File")
    }
    assert found == where
    for secret in MARKERS.values():
        assert secret not in done.stdout + done.stderr


def test_sec001_what_is_not_committed_yet_is_searched_staged_or_not(repository: Path) -> None:
    (repository / "README").write_text(f"{TOKEN}\n")
    assert "README" in scan(repository).stdout
    git(repository, "add", "-A")
    assert "README" in scan(repository).stdout


def test_sec001_a_shallow_clone_and_a_merge_are_searched_and_no_comment_makes_an_exception(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(repository, "checkout", "--quiet", "-b", "side")
    commit(repository, "b.txt", "more\n")
    git(repository, "checkout", "--quiet", "main")
    commit(repository, "c.txt", "more\n")
    git(repository, "merge", "--quiet", "--no-commit", "side")
    commit(repository, "merged.txt", f"{TOKEN} # gitleaks:allow\n")
    assert "merged.txt" in scan(repository).stdout
    shallow = tmp_path_factory.mktemp("clones") / "shallow"
    git(repository, "clone", "--quiet", "--depth", "1", f"file://{repository}", str(shallow))
    assert "merged.txt" in scan(shallow).stdout


def test_sec001_lines_that_look_like_git_s_own_hide_nothing(repository: Path) -> None:
    commit(repository, "a.txt", f"++ b/elsewhere\n-- a/x\n@@ -1 +1 @@\n{TOKEN}\n")
    done = scan(repository)
    assert done.returncode == 1
    assert "RuleID:      github-pat" in done.stdout


def test_sec001_every_exception_is_still_needed() -> None:
    """A value that no file holds any more could come back as a real one."""
    for entry in tomllib.loads(RULES.read_text())["allowlists"]:
        for pattern in entry["regexes"]:
            value = pattern.removeprefix("^").removesuffix("$")
            assert value.isalnum(), "one value, not a pattern"
            git(ROOT, "grep", "--quiet", value, "--", ":!.gitleaks.toml")
