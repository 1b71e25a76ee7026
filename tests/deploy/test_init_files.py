"""What `signupflow init` writes: literal Python that the formatter leaves alone, and nothing over what somebody made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.client import ROOT
from signupflow.cli.init import files, literals
from signupflow.cli.init.config import Answers, Host, Storage
from signupflow.errors import OperatorError
from tests.proofs.configuration import DEPLOY_EXAMPLE

RUFF = str(Path(sys.executable).with_name("ruff"))
RSA = "ssh-rsa " + "A" * 540 + " ops@rescue-helpers.org"


def answers(directory: Path, **changed: object) -> Answers:
    given: dict[str, object] = {
        "environment": "production",
        "hosts": (Host("web1.rescue-helpers.org", "198.51.100.7", ("edge", "app", "db")),),
        "domains": ("signupflow.rescue-helpers.org",),
        "acme_email": "operations@rescue-helpers.org",
        "public_keys": tuple(DEPLOY_EXAMPLE["deploy_public_keys"]),
        "traefik_image": DEPLOY_EXAMPLE["traefik_image"],
        "directory": directory,
        "root": directory,
    }
    return Answers(**{**given, **changed})  # type: ignore[arg-type]


TWO = (
    Host("web1.rescue-helpers.org", "198.51.100.7", ("edge", "app"), "10.0.0.1"),
    Host("web2.rescue-helpers.org", "198.51.100.8", ("app", "db"), "10.0.0.2"),
)
CHANGES: dict[str, dict[str, object]] = {
    "one host": {},
    "two hosts": {"hosts": TWO},
    "everything": {
        "environment": "eu-west",
        "hosts": TWO,
        "ssh_port": 2222,
        "ssh_key": "/home/someone/.ssh/id_rsa",
        "public_keys": (RSA, *DEPLOY_EXAMPLE["deploy_public_keys"]),
        "acme_directory": "https://ca.internal/dir",
        "registry_mirrors": ("http://10.0.0.9:5000",),
        "storage": Storage("https://s3.rescue-helpers.org", "backups", "eu", "/etc/ca.pem"),
        "settings": {"app_replicas": 2, "app_environment": {"NOTE": 'say "hello"'}, "app_shift_weights": [20, 50]},
    },
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_fr028_what_is_written_is_left_alone_by_the_formatter_and_the_linter(tmp_path: Path, changed: dict[str, object]) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    made = answers(tmp_path, **changed)
    for file in (files.inventory(made), files.group_data(made)):
        file.write()
        for command in (["format", "--diff"], ["check", "--quiet"]):
            done = subprocess.run(
                [RUFF, *command, "--no-cache", file.path], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr + file.text


@pytest.mark.parametrize("width", range(128, 133))
def test_fr028_a_line_is_broken_where_the_formatter_breaks_it(width: int) -> None:
    text = literals.assignments("A file.", {"name": ["x" * (width - 20), "y", "z"]})
    command = [RUFF, "format", "--diff", "--config", str(ROOT / "pyproject.toml"), "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_us8_1_several_hosts_take_a_line_each_however_short(tmp_path: Path) -> None:
    hosts = (Host("a", "10.0.0.1", ("edge", "app"), "10.0.0.1"), Host("b", "10.0.0.2", ("db",), "10.0.0.2"))
    assert '\n    ("b", {"ssh_hostname": "10.0.0.2"' in files.inventory(answers(tmp_path, hosts=hosts)).text


def test_fr028_what_is_written_says_what_was_answered(tmp_path: Path) -> None:
    made = answers(tmp_path, **CHANGES["everything"])
    assert made.inventory.name == "inventory_eu_west.py"
    assert literals.values(files.inventory(made).text) == {
        "eu_west": [
            ("web1.rescue-helpers.org", {"ssh_hostname": "198.51.100.7", "ssh_port": 2222, "private_address": "10.0.0.1"}),
            ("web2.rescue-helpers.org", {"ssh_hostname": "198.51.100.8", "ssh_port": 2222, "private_address": "10.0.0.2"}),
        ],
        "edge": ["web1.rescue-helpers.org"],
        "app": ["web1.rescue-helpers.org", "web2.rescue-helpers.org"],
        "db": ["web2.rescue-helpers.org"],
    }
    held = literals.values(files.group_data(made).text)
    assert held is not None
    assert held["environment"] == "eu-west"
    assert held["public_tcp_ports"] == [22, 80, 443, 2222]
    assert held["app_replicas"] == 2
    assert held["s3_bucket"] == "backups"
    assert (held["ssh_user"], held["ssh_known_hosts_file"]) == ("deploy", "known_hosts")
    assert "secrets_file" not in held, "the default's place"


def test_fr028_a_directory_of_its_own_is_named_in_full(tmp_path: Path) -> None:
    made = answers(tmp_path / "elsewhere", root=tmp_path / "repository")
    held = literals.values(files.group_data(made).text)
    assert held is not None
    assert held["secrets_file"] == str(tmp_path / "elsewhere" / "secrets" / "production.age")
    assert held["ssh_known_hosts_file"] == str(tmp_path / "elsewhere" / "known_hosts")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3) | st.tuples(inner) | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(VALUES)
def test_fr028_any_value_is_read_back_as_it_was(value: object) -> None:
    assert literals.values(literals.assignments("A file.", {"name": value})) == {"name": value}


@pytest.mark.parametrize("text", ["import os", "a = b", "a = 1 +", "a = f()", "a.b = 1"])
def test_fr028_what_is_more_than_literals_is_not_read(text: str) -> None:
    assert literals.values(text) is None


# As a clone has them. A copy, because the repository's own become somebody's, and the tests run in theirs as well.
SHIPPED = Path(__file__).with_name("shipped")
EXAMPLES = ("inventory.py", "group_data/production.py")


def shipped(directory: Path) -> None:
    shutil.copytree(SHIPPED, directory, dirs_exist_ok=True)


@pytest.mark.parametrize("name", EXAMPLES)
def test_fr028_the_copies_of_the_examples_are_what_is_shipped(name: str) -> None:
    here = (ROOT / name).read_text()
    held = literals.values(here) or {}
    if not files.is_example_inventory(held) and "signupflow.example.org" not in held.get("domains", ()):
        pytest.skip("somebody's own by now")
    assert here == (SHIPPED / name).read_text()


def test_fr028_the_shipped_examples_make_way(tmp_path: Path) -> None:
    shipped(tmp_path)
    made = answers(tmp_path)
    for file in (files.inventory(made), files.group_data(made)):
        files.refuse_to_replace(file, file.path.name)
        assert not file.there


@pytest.mark.parametrize(
    ("name", "old", "new", "named"),
    [
        ("inventory.py", "203.0.113.10", "203.0.113.11", "inventory.py exists"),
        ("inventory.py", "app = [", "spare = []\napp = [", "spare"),
        ("group_data/production.py", '["signupflow.example.org"]', '["a.helpers.org"]', "domains"),
        ("group_data/production.py", "\nssh_user", "\napp_replicas = 4\nssh_user", "app_replicas"),
        ("group_data/production.py", "\nssh_user", "\nimport os\nssh_user", "production.py exists"),
    ],
)
def test_fr028_what_somebody_edited_is_never_overwritten(tmp_path: Path, name: str, old: str, new: str, named: str) -> None:
    shipped(tmp_path)
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    made = answers(tmp_path)
    (file,) = (file for file in (files.inventory(made), files.group_data(made)) if file.path == tmp_path / name)
    with pytest.raises(OperatorError, match=r"exists and holds something else.*nothing was written") as caught:
        files.refuse_to_replace(file, name)
    assert named in str(caught.value)


def test_fr028_a_file_of_the_same_values_is_there_whatever_its_comments(tmp_path: Path) -> None:
    file = files.group_data(answers(tmp_path))
    file.write()
    assert file.there
    file.path.write_text(file.text.replace("\nssh_user", "\n# the one that bootstrap makes\nssh_user"))
    assert file.there
    files.refuse_to_replace(file, "production.py")


def test_fr028_a_kill_while_writing_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = files.File(tmp_path / "inventory.py", "new\n")
    file.path.write_text("old\n")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            file.write()
    assert file.path.read_text() == "old\n"
    file.write()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("inventory.py", "new\n")]


def test_fr011_an_image_that_is_pinned_already_stays(tmp_path: Path) -> None:
    file = files.group_data(answers(tmp_path))
    assert files.kept_traefik_image(file.path) == ""
    file.write()
    assert files.kept_traefik_image(file.path) == DEPLOY_EXAMPLE["traefik_image"]
    assert files.kept_traefik_image(SHIPPED / "group_data" / "production.py") == ""
