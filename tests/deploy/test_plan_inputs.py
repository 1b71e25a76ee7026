"""A plan pins all that a run is made from: what changes between `plan` and `apply` is named, and nothing is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from lab.client import ROOT
from signupflow import secretfile
from signupflow.cli.plans import _sources
from signupflow.dryrun import INPUTS, Plan, changed_inputs, read
from tests.deploy import told

NAMES = ("digest_key", "postgres_migrator_password", "postgres_app_password", "postgres_tls_certificate", "postgres_tls_key")
SECRETS = {name: f"{name} 0123456789" for name in (*NAMES, "jwt_keys")}
DIGEST = "@sha256:" + "0b" * 32


class Environment:
    """One host, its secrets, and a plan of a deploy that does nothing."""

    def __init__(self, folder: Path) -> None:
        key = pyrage.x25519.Identity.generate()
        self.folder, self.recipient = folder, str(key.to_public())
        (folder / "age.key").write_text(f"{key}\n")
        (folder / "known_hosts").write_text("web1 ssh-ed25519 AAAA\n")
        self.data = {
            "secrets_file": str(folder / "secrets.age"),
            "age_key_file": str(folder / "age.key"),
            "ssh_known_hosts_file": str(folder / "known_hosts"),
            "app_image": f"greeter:1.0{DIGEST}",
            "postgres_image": f"postgres:17{DIGEST}",
            "ops_image": f"ops:1{DIGEST}",
            "app_migration_command": [],
            "app_smoke_command": [],
        }
        self.write()

    def write(self, secrets: dict[str, str] | None = None, **data: object) -> None:
        secretfile.encrypt(self.folder / "secrets.age", SECRETS | (secrets or {}), [self.recipient])
        self.inventory = told.inventory(self.folder, {**self.data, **data})

    def keep_plan(self) -> str:
        """As `plan` does, of a deploy of our own: the real one would change this machine."""
        command = ["pyinfra", str(self.inventory), str(told.deploy(self.inventory, "production.py"))]
        inputs = self.folder / "inputs.json"
        done = subprocess.run(
            [str(told.PYINFRA), *command[1:], "--dry", "--diff"],
            cwd=ROOT,
            env={**os.environ, INPUTS: str(inputs)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        used = json.loads(inputs.read_text())
        plan = Plan("now", "ada", tuple(command), _sources(command[1]), used, read(done.stdout), done.stdout)
        (self.folder / "plan.json").write_text(plan.as_json())
        return plan.as_json()

    def apply(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "signupflow", "apply", str(self.folder / "plan.json")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


CHANGES: dict[str, Callable[[Environment], object]] = {
    "secret jwt_keys": lambda env: env.write({"jwt_keys": "jwt_keys 9876543210"}),
    "secret partner_key": lambda env: env.write({"partner_key": "a secret that is new"}),
    "known_hosts": lambda env: (env.folder / "known_hosts").write_text("web1 ssh-ed25519 BBBB\n"),
}


def test_a22_what_changed_between_plan_and_apply_is_named_and_nothing_is_run(tmp_path: Path) -> None:
    env = Environment(tmp_path)
    text = env.keep_plan()
    assert not [value for value in SECRETS.values() if value in text], "no secret is in a plan"
    unchanged = env.apply()
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr
    assert unchanged.stdout.count("SETTINGS") == 1
    for named, change in CHANGES.items():
        change(env)
        refused = env.apply()
        assert refused.returncode == 2, named
        assert "SETTINGS" not in refused.stdout
        (said,) = [line for line in (refused.stdout + refused.stderr).splitlines() if line.startswith("Error:")]
        assert named in said
        assert said.endswith("changed since the plan was made; nothing was run, plan again")
        env.write()
        (env.folder / "known_hosts").write_text("web1 ssh-ed25519 AAAA\n")


def test_a22_inputs_name_each_host_s_settings_the_images_and_the_hosts(tmp_path: Path) -> None:
    env = Environment(tmp_path)
    before = json.loads(env.keep_plan())["inputs"]
    env.write(reason="another", app_image=f"greeter:1.1{DIGEST}")
    after = json.loads(env.keep_plan())["inputs"]
    assert changed_inputs(before, after) == [
        f"image greeter:1.0{DIGEST}", f"image greeter:1.1{DIGEST}", "app_image of @local", "reason of @local",
    ]  # fmt: skip
    assert {"pyinfra", "the list of hosts", f"file {tmp_path / 'known_hosts'}", f"image postgres:17{DIGEST}"} <= set(before)
    assert {name for name in before if name.startswith("secret ")} == {f"secret {name}" for name in SECRETS}


def test_a22_a_digest_of_a_secret_tells_nothing_without_the_key(tmp_path: Path) -> None:
    """The same values under another digest_key look different: nobody can compare a guess with a plan."""
    env = Environment(tmp_path)
    before = json.loads(env.keep_plan())["inputs"]
    env.write({"digest_key": "another key of digests"})
    after = json.loads(env.keep_plan())["inputs"]
    keyed = [name for name in before if name.startswith("secret ") or " of " in name]
    assert keyed
    assert not [name for name in keyed if before[name] == after[name]]


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b of web1")])
def test_a22_nothing_differs_from_itself(names: tuple[str, ...]) -> None:
    inputs = dict.fromkeys(names, "0")
    assert changed_inputs(inputs, inputs) == []
    assert changed_inputs({}, inputs) == sorted(names)
