"""Text arrives as it was typed: through pyinfra's own command line, which reads `--data` as JSON, and through the verbs."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from signupflow.cli import main, verbs
from signupflow.errors import OperatorError
from signupflow.settings import TYPES, from_data, of_levels
from signupflow.settings.overrides import pairs, read
from tests.deploy import told
from tests.proofs.configuration import DEPLOY_EXAMPLE

# What JSON, YAML, TOML, Python or a shell would take for something else.
TAGS = [
    "1.10",
    "2024.10",
    "007",
    "1e3",
    "1_000",
    "0x10",
    "true",
    "False",
    "null",
    "NaN",
    "Infinity",
    "012",
    "1.0",
    "10",
    "on",
    "no",
]
REASONS = [
    *TAGS,
    *(
        "[a]",
        '["a"]',
        '"quoted"',
        "'single'",
        '{"a": 1}',
        "  spaces  ",
        "a=b=c",
        "=",
        "ümläut ☃ 日本",
        "100 %",
        "$HOME `id` \\n",
        "-y",
    ),
]


@pytest.mark.parametrize("text", TAGS)
def test_a1_a_tag_is_what_was_typed(text: str) -> None:
    env = from_data(of_levels([DEPLOY_EXAMPLE], [f"app_version={text}", f"rollback_to={text}"]), "web1")
    assert (env.app_version, env.rollback_to, env.app_image) == (text, text, f"signupflow/app:{text}")


@pytest.mark.parametrize("text", REASONS)
def test_a1_a_reason_is_what_was_typed(text: str) -> None:
    assert from_data(of_levels([DEPLOY_EXAMPLE], [f"reason={text}"]), "web1").reason == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=string.printable[:95])))
def test_a1_any_printable_text_is_a_reason_byte_for_byte(text: str) -> None:
    if text.isprintable():
        assert from_data(of_levels([DEPLOY_EXAMPLE], [f"reason={text}"]), "web1").reason == text


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("app_replicas=3", 3),
        ("app_replicas=007", 7),
        ("app_port=1_000", 1000),
        ("app_port=1e3", 1000),
        ("app_bake_seconds=1.50", 1.5),
        ("allow_unhealthy=true", True),
        ("allow_unhealthy=False", False),
        ("allow_unhealthy=yes", True),
        ("allow_unhealthy=1", True),
        ("allow_interrupts=docker,traefik", ("docker", "traefik")),
        ('allow_interrupts=["docker"]', ("docker",)),
        ("allow_interrupts=", ()),
        ("app_shift_weights=[10, 50]", (10, 50)),
        ("public_tcp_ports=[22,80,443,2222]", (22, 80, 443, 2222)),
        ('domains=["a.helpers.org", "b.helpers.org"]', ("a.helpers.org", "b.helpers.org")),
        ('app_check_command=["sleep", 1.10, 1e3, "2.10"]', ("sleep", "1.10", "1e3", "2.10")),
        ('app_environment={"RATE": 1.10, "DEBUG": "true"}', {"RATE": "1.10", "DEBUG": "true"}),
        ('app_secrets={"API_KEY": "partner"}', {"API_KEY": "partner"}),
    ],
)
def test_a1_numbers_switches_lists_and_mappings_are_still_read(item: str, value: object) -> None:
    env = from_data(of_levels([DEPLOY_EXAMPLE], [item]), "web1")
    assert getattr(env, item.partition("=")[0]) == value


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("app_replicas=0x10", "app_replicas"),
        ("app_replicas=null", "app_replicas"),
        ("app_replicas=", "app_replicas"),
        ("domains=a.helpers.org", 'domains must be a list, such as ["a.helpers.org"]'),
        ("domains=[a]", "domains must be a list"),
        ('app_environment={"DEBUG": true}', "app_environment.DEBUG must be text in quotes"),
        ('app_version="1.10"', "app_version '\"1.10\"' is no image tag"),
        ("app_version= 1.10", "app_version ' 1.10' is no image tag"),
        ("app_version=1.10\n", "is no image tag"),
        ("app_replica=2", "did you mean app_replicas?"),
    ],
)
def test_a1_what_cannot_be_read_is_refused_and_not_guessed(item: str, said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        from_data(of_levels([DEPLOY_EXAMPLE], [item]), "web1")
    assert said in str(caught.value)


def test_a1_every_setting_that_is_text_gets_text() -> None:
    """No setting of a kind that nobody thought of: whatever its type says, `1.10` is either text or a number."""
    numbers = {name for name in TYPES if not isinstance(read([f"{name}=1.10"], TYPES)[name], str)}
    assert {TYPES[name] for name in numbers if TYPES[name] not in (int, float, bool)} == {
        TYPES[name] for name in ("app_shift_weights", "public_tcp_ports")
    }
    assert {"app_version", "rollback_to", "reason", "app_name", "app_image", "environment", "profile", "app_canary"}.isdisjoint(
        numbers
    )


def test_a1_a_version_that_group_data_writes_as_a_number_is_refused() -> None:
    with pytest.raises(OperatorError, match="app_version must be text in quotes"):
        from_data({**DEPLOY_EXAMPLE, "app_version": 1.10}, "web1")


@pytest.mark.parametrize("item", ["app_version", "=1"])
def test_a1_data_without_a_name_or_a_value_is_refused(item: str) -> None:
    with pytest.raises(OperatorError, match="write --data NAME=VALUE"):
        pairs([item])


@pytest.mark.parametrize(
    ("verb", "setting"),
    [(("deploy", "{}", "-y"), "app_version"), (("rollback", "-y", "--", "{}"), "rollback_to")],
    ids=["deploy", "rollback"],
)
@pytest.mark.parametrize("text", TAGS)
def test_a1_a_verb_passes_its_version_on(verb: tuple[str, ...], setting: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[Any] = []
    monkeypatch.setattr(verbs, "execute", run.append)
    assert CliRunner().invoke(main, [word.format(text) for word in verb]).exit_code == 0
    command = run[0]
    given = [command[number + 1] for number, word in enumerate(command) if word == "--data"]
    assert given == [f"{setting}={text}"]
    assert from_data(of_levels([DEPLOY_EXAMPLE], given), "web1").model_dump()[setting] == text


def test_a1_pyinfra_itself_hands_a_deploy_what_was_typed(tmp_path: Path) -> None:
    """`pyinfra inventory.py deploys/... --data`, as one types it without our program."""
    path = told.inventory(tmp_path)
    typed = {"app_version": "1.10", "rollback_to": "2024.10", "reason": '  "007" = {a} ☃ ', "app_canary": "@local"}
    others = {
        "app_replicas": "3",
        "allow_unhealthy": "true",
        "app_shift_weights": "[10, 50]",
        "app_environment": '{"RATE": 1.10}',
        "app_check_command": '["a", " b ", 1.10]',
    }
    found = told.settings(path, *(word for item in (typed | others).items() for word in ("--data", "=".join(item))))
    assert {name: found[name] for name in typed} == typed
    assert found["app_image"] == "signupflow/app:1.10"
    assert (found["app_replicas"], found["allow_unhealthy"], found["app_shift_weights"]) == (3, True, [10, 50])
    assert found["app_check_command"] == ["a", " b ", "1.10"]
    assert found["app_environment"]["RATE"] == "1.10"


def test_a1_what_only_pyinfra_reads_is_refused_when_it_would_change(tmp_path: Path) -> None:
    done = told.pyinfra(told.inventory(tmp_path), "--data", "ssh_user=007")
    assert done.returncode == 2
    assert "Error: --data ssh_user=... would not arrive as it was typed" in done.stderr


def test_a1_without_config_py_no_data_is_taken_for_something_else(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("")
    done = told.pyinfra(told.inventory(tmp_path), "--config", str(tmp_path / "other.py"), "--data", "app_version=1.10")
    assert "SETTINGS" not in done.stdout
    assert done.returncode != 0
    assert "config.py was not run" in done.stdout + done.stderr
