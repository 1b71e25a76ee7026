"""What GitHub is asked and told: which run is promoted, the one issue about drift, the tag."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import issues
from pipeline.github import GitHub
from pipeline.issues import Action, Issue
from signupflow.errors import OperatorError
from tests.delivery.fake_github import REPOSITORY, TOKEN, FakeGitHub, serving
from tests.delivery.program import called
from tests.delivery.test_build import COMMIT

STAGING = "deploy-staging.yml"


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with serving() as found:
        yield found


def delivery(folder: Path, fake: FakeGitHub, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command of the program, with that GitHub."""
    return called(folder, *words, **fake.environment, **variables)


def test_us3_4_the_newest_run_that_succeeded_is_promoted_or_the_one_that_was_named(fake: FakeGitHub, tmp_path: Path) -> None:
    assert "there is nothing to promote" in delivery(tmp_path, fake, "staged").stderr
    for number, other in (
        (7, {}),
        (8, {}),
        (9, {"conclusion": "failure"}),
        (10, {"head_branch": "other"}),
        (11, {"event": "workflow_dispatch"}),
    ):
        fake.run(number, **other)
    assert delivery(tmp_path, fake, "staged").stdout == "run=8\n"
    assert delivery(tmp_path, fake, "staged", STAGING_RUN="7").stdout == "run=7\n"
    assert (tmp_path / "output").read_text() == "run=8\nrun=7\n"


@pytest.mark.parametrize(
    "other",
    [{"conclusion": "failure"}, {"conclusion": None}, {"head_branch": "x"}, {"path": ".github/workflows/ci.yml"}, {"event": "x"}],
)
def test_us3_4_a_run_that_is_not_staging_s_success_on_main_is_not_promoted(
    fake: FakeGitHub, tmp_path: Path, other: dict[str, Any]
) -> None:
    fake.run(7, **other)
    done = delivery(tmp_path, fake, "staged", STAGING_RUN="7")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: run 7 has ")


@pytest.mark.parametrize("run", ["latest", "-1", "7 8", "\u0667", "7\n", "$(touch x)", "9999"])
def test_us3_4_what_is_no_run_is_refused(fake: FakeGitHub, tmp_path: Path, run: str) -> None:
    fake.run(7)
    done = delivery(tmp_path, fake, "staged", STAGING_RUN=run)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_us3_which_action_on_the_issue_is_due() -> None:
    there = Issue(1, "web1 differs\r\n")
    assert issues.due(False, "", None) is Action.NOTHING
    assert issues.due(False, "", there) is Action.CLOSE
    assert issues.due(True, "web1 differs", None) is Action.OPEN
    assert issues.due(True, "web1 differs\n", there) is Action.NOTHING
    assert issues.due(True, "web2 differs", there) is Action.UPDATE


def test_us3_one_issue_is_opened_updated_and_closed(fake: FakeGitHub, tmp_path: Path) -> None:
    (tmp_path / "delivery").mkdir()
    record = tmp_path / "delivery" / "drift.json"
    title = "Drift: production is not what was deployed"
    fake.issue(title, "an imitation", user={"login": "mallory"})
    fake.issue(title, "a pull request", pull_request={})
    looks = [
        (True, "web1", "opened"), (True, "web1", "nothing to say"), (True, "web2", "updated"), (False, "fine", "closed"),
        (False, "fine", "nothing to say"), (True, "web3", "opened"),
    ]  # fmt: skip
    for drifted, body, action in looks:
        record.write_text(f'{{"drifted": {str(drifted).lower()}, "title": "{title}", "body": "{body}"}}')
        done = delivery(tmp_path, fake, "issue")
        assert (done.returncode, done.stdout) == (0, f"issue: {action}\n"), done.stderr
    assert [(issue["state"], issue["body"]) for issue in fake.issues] == [
        ("open", "an imitation"), ("open", "a pull request"), ("closed", "web2"), ("open", "web3"),
    ]  # fmt: skip
    assert ("POST", "issues/3/comments", {"body": "fine"}) in fake.changes


def test_us3_a_look_that_failed_says_nothing_about_drift(fake: FakeGitHub, tmp_path: Path) -> None:
    assert delivery(tmp_path, fake, "issue").returncode == 1
    (tmp_path / "delivery").mkdir()
    (tmp_path / "delivery" / "drift.json").write_text("{}")
    assert delivery(tmp_path, fake, "issue").returncode == 1
    assert fake.changes == []


def test_fr011_a_released_commit_gets_one_tag_that_is_never_moved(fake: FakeGitHub, tmp_path: Path) -> None:
    variables = {"TAG": "1.4.0-g0123456789ab", "COMMIT": COMMIT, "ENVIRONMENT": "production"}
    fake.refs["refs/tags/production-1.4.0-g0123456789abc"] = "another, whose name begins alike"
    for _ in range(2):
        done = delivery(tmp_path, fake, "tag", **variables)
        assert done.returncode == 0, done.stderr
    assert fake.refs["refs/tags/production-1.4.0-g0123456789ab"] == COMMIT
    assert len(fake.changes) == 1
    moved = delivery(tmp_path, fake, "tag", **{**variables, "COMMIT": "f" * 40})
    assert moved.returncode == 1
    assert "never moved" in moved.stderr
    for name, value in (("TAG", "a b"), ("TAG", "../x"), ("COMMIT", "main"), ("ENVIRONMENT", "a/b")):
        assert delivery(tmp_path, fake, "tag", **{**variables, name: value}).returncode == 1, value


def test_sec001_the_token_is_in_no_message(fake: FakeGitHub) -> None:
    for github in (GitHub(fake.address, REPOSITORY, TOKEN + "x"), GitHub("http://127.0.0.1:1", REPOSITORY, TOKEN)):
        with pytest.raises(OperatorError) as refused:
            github.newest_success(STAGING, "main")
        assert TOKEN not in str(refused.value)
        assert TOKEN not in repr(github)
    with pytest.raises(OperatorError, match=r"GitHub answered 401 to GET .*permission"):
        GitHub(fake.address, REPOSITORY, "other").open_issue("x")
