"""Workflows, Dockerfiles, shell scripts and the whole history have no findings; and a secret that is committed is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.client import ROOT

SCAN = ROOT / "scripts" / "secret_scan.py"
# Made up, and put together only here, so that this file holds none.
AGE_KEY = "AGE-SECRET-KEY-" + "1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" + "QPZRY9X8GF2TVDW0S3JN54KHCE"
GITHUB_TOKEN = "ghp" + "_" + "aB3" * 12
PASSWORD = "pass" + 'word = "tr0ub4dor-and-3"'
KNOWN = "known = []\n"


def test_us3_sec004_linters_and_the_search_for_secrets_find_nothing() -> None:
    done = subprocess.run([ROOT / "scripts" / "lint", Path(sys.executable).parent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split()[1].rsplit("/", 1)[-1] for line in done.stdout.splitlines() if line.startswith("== ")]
    assert ran == ["zizmor", "hadolint", "shellcheck", "python"], "none is left out"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "README", "nothing to see\n")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(folder), *name, *words], check=True, capture_output=True, text=True).stdout


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", f"Changes {name}")


def scan(repository: Path, known: str = KNOWN) -> subprocess.CompletedProcess[str]:
    entries = repository.parent / f"{repository.name}.toml"
    entries.write_text(known)
    command = [sys.executable, SCAN, "--repository", repository, "--known", entries]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "secret"), [("key.txt", AGE_KEY), ("notes.md", GITHUB_TOKEN), ("settings.py", PASSWORD)])
def test_sec001_a_secret_in_the_history_is_found_after_it_was_taken_out(repository: Path, name: str, secret: str) -> None:
    commit(repository, name, f"before\n{secret}\n")
    commit(repository, name, "before\n")
    done = scan(repository)
    assert done.returncode == 1, done.stdout
    first = done.stderr.splitlines()[0]
    assert first.startswith(
        f"Error: {name} ({git(repository, 'log', '-1', '--format=%h', 'HEAD~1').strip()}) holds what looks like"
    )
    assert secret not in done.stdout + done.stderr


def entry(sha1: str, path: str = "") -> str:
    return f'[[known]]\nsha1 = "{sha1}"\nreason = "made up"\n' + (f'path = "{path}"\n' if path else "")


def sha1_of(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.partition("SHA-1 ")[2].split()[0]


def test_sec001_an_exception_counts_for_one_value_and_goes_when_it_is_not_needed(repository: Path) -> None:
    commit(repository, "a.txt", GITHUB_TOKEN)
    digest = sha1_of(scan(repository))
    assert scan(repository, entry(digest)).returncode == 0
    assert scan(repository, entry(digest, "a.txt")).returncode == 0
    commit(repository, "b.txt", f"{GITHUB_TOKEN}\n{AGE_KEY}\n")
    assert "Error: b.txt" in scan(repository, entry(digest, "a.txt")).stderr
    other = scan(repository, entry(digest)).stderr
    assert other.count("Error: ") == 1
    stale = scan(repository, entry(digest) + entry(sha1_of(scan(repository, entry(digest)))) + entry("0" * 40))
    assert stale.returncode == 1
    assert "take the entry out" in stale.stderr
    assert scan(repository, "[[known]]\n").returncode == 1


def test_sec001_what_is_not_committed_yet_and_a_shallow_clone_are_searched_too(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit(repository, "a.txt", GITHUB_TOKEN)
    commit(repository, "b.txt", "more\n")
    shallow = tmp_path_factory.mktemp("clones") / "shallow"
    git(repository, "clone", "--quiet", "--depth", "1", f"file://{repository}", str(shallow))
    done = scan(shallow)
    assert "Error: a.txt" in done.stderr
    known = entry(sha1_of(done)) + entry("0" * 40)
    assert scan(shallow, known).returncode == 0, "what is not in this clone may be in the rest of the history"
    (shallow / "README").write_text(f"{PASSWORD}\n")
    assert "not committed yet" in scan(shallow, known).stderr


def test_sec001_lines_that_look_like_git_s_own_hide_nothing(repository: Path) -> None:
    commit(repository, "a.txt", f"++ b/elsewhere\n-- a/x\n@@ -1 +1 @@\n{GITHUB_TOKEN}\n")
    assert "Error: a.txt" in scan(repository).stderr
