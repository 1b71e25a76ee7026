"""The record of a build, and what a step hands on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import build, runner
from pipeline.build import Build
from signupflow.errors import OperatorError
from signupflow.images import Reference

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "a" * 64
CONFIG = "sha256:" + "c" * 64
MADE = Build("registry.example.org:5000/acme/signupflow", "1.4.0-g0123456789ab", COMMIT, CONFIG)


def test_fr011_an_image_s_tag_says_its_version_and_its_commit() -> None:
    assert build.tag("1.4.0", COMMIT) == "1.4.0-g0123456789ab"
    assert MADE.tag == build.tag("1.4.0", COMMIT)


def test_us3_2_a_build_is_named_by_its_digest_once_it_was_pushed() -> None:
    pushed = MADE.pushed(DIGEST)
    assert pushed.reference == f"registry.example.org:5000/acme/signupflow:1.4.0-g0123456789ab@{DIGEST}"
    assert Build.from_json(pushed.as_json(), "build.json") == pushed
    assert build.pinned(pushed.reference).digest == DIGEST
    with pytest.raises(OperatorError, match="names no digest"):
        build.pinned(MADE.reference)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "acme/App"), ("name", "acme/app:tag"), ("name", "--option"), ("name", "acme/app "), ("name", "a b"),
        ("name", ""), ("tag", ""), ("tag", "a b"), ("tag", "-x"), ("tag", "$(touch x)"), ("tag", "x\n"),
        ("commit", "main"), ("commit", COMMIT[:12]), ("commit", COMMIT + "\n"), ("commit", COMMIT.upper()),
        ("config", ""), ("config", CONFIG + "\n"), ("digest", "sha256:short"), ("digest", DIGEST + "\n"), ("digest", 7),
    ],
)  # fmt: skip
def test_us3_a_record_that_names_something_else_is_refused(field: str, value: object) -> None:
    text = json.dumps({**json.loads(MADE.as_json()), field: value})
    with pytest.raises(OperatorError):
        Build.from_json(text, "build.json")


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"name": 1}', MADE.as_json().replace('"tag"', '"tags"')])
def test_us3_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match=r"build\.json is no record of a build"):
        Build.from_json(text, "build.json")


def test_us3_a_reference_ends_where_its_text_does() -> None:
    with pytest.raises(ValueError, match="not an image reference"):
        Reference.parse("acme/app:1.0\n")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("registry.example.org/acme/app", "registry.example.org"), ("localhost/app", "localhost"),
        ("10.0.0.1:5000/app", "10.0.0.1:5000"),
        ("acme/app", ""), ("app", ""),
    ],
)  # fmt: skip
def test_us3_2_the_registry_is_read_from_the_name_as_docker_does(name: str, host: str) -> None:
    assert build.registry(name) == host


def test_us3_an_output_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    runner.output("image", MADE.reference)
    runner.output("tag", MADE.tag)
    assert file.read_text() == f"image={MADE.reference}\ntag={MADE.tag}\n"
    with pytest.raises(OperatorError, match="line end"):
        runner.output("image", "a\nimage=other")
    assert "other" not in file.read_text()
