"""`signupflow rotate` for what is stored elsewhere: cut off anywhere, the same command goes on; nothing is merely believed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from deploys.backups.configuration import pgbackrest_conf, store_identity
from signupflow import rotation
from signupflow.cli import rotating
from signupflow.cli.init import storage
from signupflow.cli.init.checks import FAIL, OK, Check
from signupflow.cli.init.config import Storage
from signupflow.errors import OperatorError
from signupflow.secretfile import Secrets
from signupflow.settings import from_data
from tests.proofs.configuration import DEPLOY_EXAMPLE

OLD, NEW = ("old-access", "old-secret"), ("new-access", "new-secret")
BUCKET = Storage("https://s3.helpers.org", "backups", "eu-central-1", "")


class KilledError(BaseException):
    """SIGKILL: nothing is caught, nothing is cleared away."""


class File:
    """The secrets file, and what the hosts have of it."""

    path = Path("/secrets/production.age")

    def __init__(self, values: dict[str, str]) -> None:
        self.values, self.delivered = dict(values), dict(values)

    def read(self) -> dict[str, str]:
        return dict(self.values)

    def write(self, values: dict[str, str]) -> None:
        self.values = dict(values)


class Machine:
    """This machine, which can be killed before or after any of its effects; what it did, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
        self.file, self.done, self.fails = File(values), list[str](), list[str]()
        self.left: int | None = None
        machine = self

        class Kept:
            def __init__(self, _: Any) -> None:
                self.data = {f"s3_{name}": getattr(BUCKET, name) for name in ("endpoint", "bucket", "region", "ca_file")}
                self.file = machine.file

        monkeypatch.setattr(rotating, "Kept", Kept)
        monkeypatch.setattr(rotating, "execute", self.execute)
        monkeypatch.setattr(rotating, "hosts_of", lambda *_: [("db1", {})])
        write = self.file.write
        monkeypatch.setattr(self.file, "write", lambda values: self._step(lambda: write(values)))

    def execute(self, command: list[str], *_: Any) -> None:
        word = "deliver" if command[0] == "pyinfra" else command[-1].split("signupflow-backup ")[-1].rstrip("'")
        self._step(lambda: self._done(word))

    def _done(self, word: str) -> None:
        if word in self.fails:
            self.fails.remove(word)
            raise SystemExit(1)
        self.done.append(word)
        if word == "deliver":
            self.file.delivered = self.file.read()

    def _step(self, effect: Any) -> None:
        """Killed before this effect when nothing is left, and after the last one that is."""
        if self.left is not None:
            if not self.left:
                raise KilledError
            self.left -= 1
        effect()

    def rotate(self, what: str, **environment: str) -> Result:
        return CliRunner().invoke(rotating.rotate, [what, "-y"], env=environment, catch_exceptions=False)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The bucket: which keys it takes, and what is wrong with the way to it."""
    state: dict[str, Any] = {"takes": {OLD, NEW}, "away": ""}

    def check(_: Storage, *keys: str) -> Check:
        return Check("the bucket", "object storage", OK if tuple(keys) in state["takes"] else FAIL, "HeadBucket: 403")

    def refuses(_: Storage, *keys: str) -> bool:
        if state["away"]:
            raise OperatorError(f"does not say whether it refuses the keys before ({state['away']})")
        return tuple(keys) not in state["takes"]

    monkeypatch.setattr(storage, "check", check)
    monkeypatch.setattr(storage, "refuses", refuses)
    return state


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(
        monkeypatch, {"s3_access_key": OLD[0], "s3_secret_key": OLD[1], "backup_passphrase": "first", "other": "stays"}
    )


KEYS = {"S3_ACCESS_KEY": NEW[0], "S3_SECRET_KEY": NEW[1]}


def test_c10_a_delivery_that_failed_is_repeated_and_never_taken_for_done(machine: Machine, store: dict[str, Any]) -> None:
    machine.fails = ["deliver"]
    assert machine.rotate("object-store", **KEYS).exit_code == 1
    assert machine.file.delivered["s3_access_key"] == OLD[0], "hosts have dead keys soon"
    again = machine.rotate("object-store")
    assert again.exit_code == 0
    assert "the new keys are delivered (goes on from a run before)" in again.output
    assert machine.file.delivered["s3_access_key"] == NEW[0]
    assert "revoke the old keys" in again.output
    store["takes"] = {NEW}
    assert "rotated" in machine.rotate("object-store").output
    assert sorted(machine.file.values) == ["backup_passphrase", "other", "s3_access_key", "s3_secret_key"]


@pytest.mark.parametrize("killed", range(4))
def test_c10_killed_anywhere_the_hosts_have_the_new_keys_before_the_old_ones_are_forgotten(
    machine: Machine, store: dict[str, Any], killed: int
) -> None:
    machine.left = killed
    with suppress(KilledError):
        machine.rotate("object-store", **KEYS)
    machine.left = None
    for _ in range(3):
        with suppress(click.ClickException, OperatorError):
            machine.rotate("object-store", **KEYS)
        assert not (machine.file.delivered["s3_access_key"] == OLD[0] and "s3_access_key_before" not in machine.file.values) or (
            machine.file.values["s3_access_key"] == OLD[0]
        )
        store["takes"] = {NEW}
        if machine.file.delivered["s3_access_key"] == NEW[0] and "s3_access_key_before" not in machine.file.values:
            break
    assert machine.file.delivered["s3_access_key"] == NEW[0]
    assert "s3_access_key_before" not in machine.file.values


def test_c10_a_store_that_cannot_be_asked_has_revoked_nothing(machine: Machine, store: dict[str, Any]) -> None:
    machine.rotate("object-store", **KEYS)
    store["away"] = "timed out"
    with pytest.raises(OperatorError, match="timed out"):
        machine.rotate("object-store")
    store["away"] = ""
    with pytest.raises(OperatorError, match="still open the bucket"):
        machine.rotate("object-store")
    assert machine.file.values["s3_access_key_before"] == OLD[0]


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A store that says this to everybody, without TLS."""

    class Says(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Says) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "refused"), [(200, False), (401, True), (403, True), (404, None), (500, None), (503, None)])
def test_c10_only_401_and_403_are_a_refusal(status: int, refused: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with answering(status) as url:
        here = Storage(url, "backups", "us-east-1", "")
        if refused is None:
            with pytest.raises(OperatorError, match=f"it answered {status}"):
                storage.refuses(here, *OLD)
        else:
            assert storage.refuses(here, *OLD) is refused
    with pytest.raises(OperatorError, match="does not say whether it refuses"):
        storage.refuses(here, *OLD)


def repositories(values: dict[str, str]) -> dict[str, str]:
    """Path to passphrase, as pgBackRest is told."""
    env = from_data({**DEPLOY_EXAMPLE, "s3_endpoint": "https://s3.helpers.org", "s3_bucket": "backups"}, "db1")
    text = pgbackrest_conf(env, Secrets({"s3_access_key": "a", "s3_secret_key": "b"} | values))
    options = dict(line.split("=", 1) for line in text.splitlines() if line.startswith("repo"))
    return {options[f"repo{n}-path"]: options[f"repo{n}-cipher-pass"] for n in range(1, 5) if f"repo{n}-path" in options}


def test_c6_the_new_store_is_beside_the_old_one_until_a_backup_in_it_was_read_back(machine: Machine) -> None:
    done = machine.rotate("backup-passphrase")
    assert done.exit_code == 0
    assert machine.done == ["deliver", "run", "deliver", "retire"]
    new = machine.file.values["backup_passphrase"]
    assert new != "first"
    assert repositories(machine.file.values) == {"/sample/g2": new, "/var/lib/pgbackrest/g2": new}
    assert [name for name in machine.file.values if name.startswith(("rotating", "backup_passphrase_"))] == []
    during = rotation.advanced("backup-passphrase", {"backup_passphrase": "first"})
    new = during["backup_passphrase"]
    assert repositories(during) == {
        "/sample/g2": new, "/var/lib/pgbackrest/g2": new, "/sample": "first", "/var/lib/pgbackrest": "first",
    }  # fmt: skip
    assert repositories({"backup_passphrase": "first"}) == {"/sample": "first", "/var/lib/pgbackrest": "first"}


@pytest.mark.parametrize("killed", range(9))
def test_c6_killed_anywhere_there_is_always_a_store_with_a_backup_that_opens(machine: Machine, killed: int) -> None:
    """A store's backup opens with the passphrase that it was made with; the one of before is removed by `retire` alone."""
    machine.left = killed
    with suppress(KilledError):
        machine.rotate("backup-passphrase")
    hosts = repositories(machine.file.delivered)
    if "run" not in machine.done:
        assert hosts["/sample"] == "first", "the old store is still written to, and opens"
    assert "/sample" in hosts or "run" in machine.done
    assert "retire" not in machine.done or "/sample" not in hosts
    machine.left = None
    assert machine.rotate("backup-passphrase").exit_code == 0
    assert set(repositories(machine.file.delivered)) in (
        {"/sample/g2", "/var/lib/pgbackrest/g2"},
        {"/sample/g3", "/var/lib/pgbackrest/g3"},
    )
    assert machine.done[-1] == "retire"


@pytest.mark.parametrize("fails", ["deliver", "run", "retire"])
def test_c6_what_fails_ends_the_command_and_is_tried_again_by_the_next(machine: Machine, fails: str) -> None:
    machine.fails = [fails]
    assert machine.rotate("backup-passphrase").exit_code == 1
    if fails != "retire":
        assert "backup_passphrase_before" in machine.file.values
    assert machine.rotate("backup-passphrase").exit_code == 0
    assert machine.done[-1] == "retire"
    assert machine.file.values["backup_generation"] == "2", "no third one was begun"


def test_c6_a_new_store_is_prepared_again_and_the_first_one_is_not() -> None:
    env = from_data({**DEPLOY_EXAMPLE, "s3_endpoint": "https://s3.helpers.org", "s3_bucket": "backups"}, "db1")
    assert store_identity(env) == store_identity(env, 1) != store_identity(env, 2)


def test_c6_a_rotation_without_backups_says_where_they_are_switched_on(machine: Machine) -> None:
    del machine.file.values["backup_passphrase"]
    with pytest.raises(OperatorError, match=r"no backups are made here \(BACKUP_RESTORE\.md\)"):
        machine.rotate("backup-passphrase")
