"""docs/EVIDENCE.md says what the JSON says, and which lines nobody has looked at since their code changed."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import pytest

from lab.client import ROOT
from tests.evidence import page, record, staleness
from tests.evidence.promises import BY_LINE, PROMISES, Promise
from tests.evidence.record import Record


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one commit, in which the line `ports` depends on `app/`."""
    monkeypatch.setattr(staleness, "ROOT", tmp_path)
    monkeypatch.setitem(BY_LINE, "ports", dataclasses.replace(BY_LINE["ports"], paths=("app", "nothing-here")))
    staleness._since.cache_clear()
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path, "app/main.py", "1")
    return tmp_path


def git(path: Path, *words: str) -> str:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *names, *words], cwd=path, capture_output=True, text=True, check=True).stdout.strip()


def commit(path: Path, name: str, text: str) -> str:
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text)
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", f"{name} says {text}")
    staleness._since.cache_clear()
    return git(path, "rev-parse", "--short=12", "HEAD")


def measured(commit: str, dirty: bool = False) -> Record:
    return dataclasses.replace(stored(), commit=commit, dirty=dirty)


def stored() -> Record:
    found = record.read("ports")
    assert found
    return found


def test_a_line_is_stale_once_what_it_depends_on_was_committed(repository: Path) -> None:
    proven = measured(git(repository, "rev-parse", "HEAD"))
    assert staleness.stale(proven) == ""
    commit(repository, "docs/guide.md", "more")
    assert staleness.stale(proven) == "", "it does not depend on guides"
    commit(repository, "app/main.py", "2")
    assert staleness.stale(proven) == "1 commit since"
    git(repository, "mv", "app", "web")
    git(repository, "commit", "-q", "-m", "a folder is renamed")
    staleness._since.cache_clear()
    assert staleness.stale(proven) == "2 commits since"


def test_a_commit_that_is_not_in_this_clone_is_stale_and_no_error(repository: Path, tmp_path: Path) -> None:
    assert staleness.stale(measured("0123456789ab")) == "the commit is not in this clone"
    first = git(repository, "rev-parse", "HEAD")
    commit(repository, "docs/guide.md", "more")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{repository}", str(shallow)], check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staleness, "ROOT", shallow)
        staleness._since.cache_clear()
        assert staleness.stale(measured(first)) == "the commit is not in this clone"


def test_what_was_measured_on_a_modified_tree_is_stale(repository: Path) -> None:
    assert staleness.stale(measured(git(repository, "rev-parse", "HEAD"), dirty=True)) == "measured on a modified work tree"


def test_staleness_is_no_part_of_the_check_and_a_figure_is() -> None:
    """HEAD moves with each commit; the page is right as long as the JSON is what it says."""
    fresh, stale = page.text(lambda _: ""), page.text(lambda _: "1 commit since")
    assert fresh != stale
    assert page.without_staleness(fresh) == page.without_staleness(stale)
    other = stale.replace(stored().figure, f"{stored().figure} and 5432")
    assert page.without_staleness(other) != page.without_staleness(fresh)


def test_the_page_is_what_the_json_says() -> None:
    assert page.current(), "run `make evidence`"


def test_what_did_not_hold_is_said_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = dataclasses.replace(stored(), held=False, reason="did not hold: found == [22]", figure="22, 5432 | of 9")
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    failed.write()
    text = page.text(lambda _: "")
    row = next(line for line in text.splitlines() if line.startswith("| [ports]"))
    assert "| 22, 5432 \\| of 9 | **no** |" in row
    assert f"0 of {len(PROMISES)} held, 1 did not, {len(PROMISES) - 1} were never measured" in text
    assert text.endswith("- **ports**: 22, 5432 \\| of 9. Goal: 22, 80, 443.\n")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.line)
def test_a_promise_has_a_test_that_measures_it(promise: Promise) -> None:
    marked = re.compile(rf'pytest\.mark\.proof\("{promise.line}"')
    assert any(marked.search(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", sorted(record.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_evidence_belongs_to_a_promise_and_says_how_it_was_made(path: Path) -> None:
    found = Record(**json.loads(path.read_text()))
    assert found.line == path.stem
    assert found.line in BY_LINE
    assert found.held == (not found.reason)
    assert re.fullmatch(r"[0-9a-f]{7,40}", found.commit)
    assert found.figure
    assert found.command
