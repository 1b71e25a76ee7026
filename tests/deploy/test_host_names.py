"""Names that somebody typed: each is a host or a group, or one line says which is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from signupflow.errors import OperatorError
from signupflow.host_names import check_listed, limited, split
from tests.deploy import told

GROUPS = {"web1": ["production", "edge", "app"], "web2": ["production", "app"], "db1": ["production", "db"]}


@pytest.mark.parametrize(
    ("patterns", "hosts"),
    [
        ([], ["web1", "web2", "db1"]),
        (["web2", "web1"], ["web1", "web2"]),
        (["app"], ["web1", "web2"]),
        (["web*", "db"], ["web1", "web2", "db1"]),
        (split(["web1,db1"]), ["web1", "db1"]),
        (split(["web1, db1", "web2,"]), ["web1", "web2", "db1"]),
    ],
)
def test_a30_a_limit_takes_hosts_groups_globs_and_lists_of_them(patterns: list[str], hosts: list[str]) -> None:
    assert limited(patterns, GROUPS, "i.py") == hosts


@pytest.mark.parametrize("patterns", [["web3"], ["web1", "web3"]])
def test_a30_one_unknown_name_in_a_limit_is_refused_whatever_the_others_match(patterns: list[str]) -> None:
    with pytest.raises(
        OperatorError, match=r"--limit web3 is no host and no group of i\.py \(did you mean web2\?\); it has web1, web2, db1"
    ):
        limited(patterns, GROUPS, "i.py")


def test_a30_a_misspelt_host_in_a_role_is_named_with_the_one_that_was_meant() -> None:
    groups = {**GROUPS, "wbe2": ["app"]}
    with pytest.raises(OperatorError) as caught:
        check_listed(groups, ["web1"], "inventory i.py")
    assert str(caught.value) == (
        "inventory i.py: app names wbe2, which no other group lists (did you mean web2?); production has web1, web2, db1"
    )


@pytest.mark.parametrize(
    ("groups", "described"),
    [
        (GROUPS, []),
        ({**GROUPS, "db2": ["db"]}, ["db2"]),
        ({"web1": ["app"], "db1": ["db"]}, []),
        ({"web1": ["sample", "app"], "db1": ["sample", "db"]}, []),
    ],
    ids=["in a group", "described where its role is", "roles alone", "a group of all"],
)
def test_a30_hosts_of_which_something_is_said_are_left_alone(groups: dict[str, list[str]], described: list[str]) -> None:
    check_listed(groups, described, "inventory i.py")


def test_a30_pyinfra_alone_answers_with_one_line(tmp_path: Path) -> None:
    path = told.inventory(tmp_path)
    for words, said in {
        ("--limit", "web9"): "--limit web9 is no host and no group of inventory",
        ("--limit", "@local", "--limit", "web9"): "--limit web9 is no host and no group of inventory",
        ("--limit", "@local,app"): "pyinfra takes one name with each --limit: --limit @local --limit app",
    }.items():
        done = told.pyinfra(path, *words)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
        assert done.returncode == 2
        assert len(errors) == 1
        assert said in errors[0]
    path.write_text(path.read_text().replace("app = db = ['@local']", "db = ['@local']\napp = ['@local', 'web9']"))
    done = told.pyinfra(path)
    assert [line for line in done.stderr.splitlines() if line.startswith("Error:")] == [
        f"Error: inventory {path}: app names web9, which no other group lists; sample has @local"
    ]
