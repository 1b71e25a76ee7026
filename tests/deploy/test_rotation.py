"""Rotations as pure steps: what the secrets file holds after each, and that a run that was cut off goes on."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.settings import Profile, _jwt_keys
from deploys.postgres.roles import passwords, role_digests, roles_sql
from signupflow import rotation
from signupflow.errors import OperatorError
from signupflow.secretfile import Secrets
from signupflow.sshkeys import Pair, naming, replaced

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALUES = {
    "digest_key": "digest-key-of-the-test",
    "postgres_app_password": "first-app-password",
    "postgres_migrator_password": "first-migrator-password",
    "jwt_keys": "k1:6d1f0b8e3a9c47529e8d5b7c1f02a364e97b85d0c3",
    "other": "stays",
}


def through(what: str, values: dict[str, str]) -> list[dict[str, str]]:
    """The values after each step of a whole rotation, each deployed."""
    found = []
    for _ in rotation.ROTATIONS[what]:
        values = rotation.deployed(what, rotation.advanced(what, values), NOW)
        found.append(values)
    return found


def test_sec006_the_app_roles_take_turns_and_both_may_log_in_meanwhile() -> None:
    during, after = through("database", VALUES)
    new = during["postgres_app_password"]
    assert passwords(Secrets(during)) == {
        "app_a": "first-app-password", "app_b": new, "migrator": during["postgres_migrator_password"],
    }  # fmt: skip
    assert passwords(Secrets(after)) == {"app_a": "", "app_b": new, "migrator": during["postgres_migrator_password"]}
    assert len({new, "first-app-password", during["postgres_migrator_password"], "first-migrator-password"}) == 4
    assert after["other"] == "stays"
    assert not [name for name in after if name.startswith("rotating_")]
    again = through("database", after)[-1]
    assert rotation.app_roles(again) == ("app_a", "app_b")


def test_sec006_the_role_whose_turn_is_over_loses_its_login_but_not_while_it_is_used() -> None:
    during, after = (roles_sql("db", Secrets(values)) for values in through("database", VALUES))
    assert 'ALTER ROLE "db_app_a" LOGIN PASSWORD' in during
    assert 'ALTER ROLE "db_app_b" LOGIN PASSWORD' in during
    assert 'ALTER ROLE "db_app_a" NOLOGIN PASSWORD NULL' in after
    asked = after.index("WHERE usename = 'db_app_a'")
    assert asked < after.index("RAISE EXCEPTION") < after.index('ALTER ROLE "db_app_a" NOLOGIN')
    assert not re.search("|".join(["first-app", "first-migrator"]), during + after)


def test_sec006_each_step_changes_the_digests_that_the_roles_are_compared_by() -> None:
    seen = [role_digests("db", Secrets(values)) for values in (VALUES, *through("database", VALUES))]
    assert seen[0] != seen[1] != seen[2]
    assert seen[1]["db_app_b"] == seen[2]["db_app_b"]
    assert seen[1]["db_app_a"] != seen[2]["db_app_a"]


def test_sec006_a_new_signing_key_is_known_before_it_signs_and_the_old_one_forgotten_last() -> None:
    announced, signing, alone = (_jwt_keys(values["jwt_keys"], Profile.PRODUCTION) for values in through("jwt", VALUES))
    assert announced.signing_kid == "k1"
    assert len(announced.secrets) == 2
    assert signing.signing_kid != "k1"
    assert signing.secrets == announced.secrets
    assert alone.secrets == {signing.signing_kid: signing.secrets[signing.signing_kid]}


def test_sec006_the_old_key_is_forgotten_when_its_tokens_have_ended() -> None:
    values = dict(VALUES)
    for expected in (None, None):
        assert rotation.due("jwt", values, HOUR) is expected
        values = rotation.deployed("jwt", rotation.advanced("jwt", values), NOW)
    assert rotation.due("jwt", values, HOUR) == NOW + HOUR


def test_sec006_a_rotation_that_was_cut_off_is_found_where_it_was() -> None:
    assert rotation.position("database", VALUES) == (0, None)
    written = rotation.advanced("database", VALUES)
    assert rotation.position("database", written) == (1, None)
    assert rotation.position("database", rotation.deployed("database", written, NOW)) == (1, NOW)
    assert rotation.position("jwt", written) == (0, None)


@pytest.mark.parametrize("text", ["x", "-1", "9", "1 yesterday"])
def test_sec006_a_marker_that_nobody_here_wrote_is_named(text: str) -> None:
    with pytest.raises(OperatorError, match="rotating_jwt"):
        rotation.position("jwt", {**VALUES, "rotating_jwt": text})
    with pytest.raises(OperatorError, match="postgres_app_role"):
        rotation.app_roles({"postgres_app_role": text})


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", str(path)], check=True)
    return Pair(path)


def test_sec006_an_ssh_key_is_replaced_whole_and_the_old_one_kept(pair: Pair) -> None:
    before = pair.path.read_text()
    pair.make_new()
    new = pair.new_public
    pair.make_new()
    assert pair.new_public == new
    assert new.endswith(" me@here")
    assert pair.new.stat().st_mode & 0o777 == 0o600
    pair.swap()
    assert (pair.public, pair.old.read_text()) == (new, before)
    assert not pair.new.exists()


@pytest.mark.parametrize("moves", [1, 2, 3])
def test_sec006_a_swap_of_keys_that_was_cut_off_is_finished(pair: Pair, moves: int) -> None:
    pair.make_new()
    new = pair.new_public
    done = [
        (f"{pair.path}.pub", f"{pair.old}.pub"), (f"{pair.new}.pub", f"{pair.path}.pub"), (str(pair.path), str(pair.old)),
    ]  # fmt: skip
    assert not pair.half_swapped
    for source, destination in done[:moves]:
        Path(source).rename(destination)
    assert pair.half_swapped
    pair.swap()
    assert pair.public == new
    derived = subprocess.run(["ssh-keygen", "-y", "-f", str(pair.path)], capture_output=True, text=True, check=True).stdout
    assert derived.split()[:2] == new.split()[:2]


def test_sec006_the_new_public_key_stands_where_the_old_one_stood(tmp_path: Path, pair: Pair) -> None:
    pair.make_new()
    holding, other = tmp_path / "production.py", tmp_path / "other.py"
    holding.write_text(f"deploy_public_keys = {json.dumps([pair.public, 'ssh-ed25519 AAAA colleague'])}\n")
    other.write_text("domains = []\n")
    assert naming(pair.public, [Path("production.py"), Path("other.py"), Path("none.py")], tmp_path) == [holding]
    replaced(holding, pair.public, pair.new_public)
    assert holding.read_text() == f"deploy_public_keys = {json.dumps([pair.new_public, 'ssh-ed25519 AAAA colleague'])}\n"


def test_sec006_a_key_that_a_formatter_broke_over_lines_is_replaced_too(tmp_path: Path, pair: Pair) -> None:
    pair.make_new()
    kind, body, comment = pair.public.split()
    path = tmp_path / "inventory.py"
    path.write_text(f"deploy_public_keys = ['{kind} '\n '{body} {comment}']\n")
    assert naming(pair.public, [path], tmp_path) == [path]
    replaced(path, pair.public, pair.new_public)
    assert path.read_text() == f"deploy_public_keys = ['{kind} '\n '{pair.new_public.split()[1]} {comment}']\n"
    with pytest.raises(OperatorError, match="on one"):
        replaced(path, "ssh-rsa AAAA me", pair.public)
