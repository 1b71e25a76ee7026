"""One age file per environment: what opens it, what does not, and what is said then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from lab.client import ROOT
from signupflow.errors import OperatorError
from signupflow.secretfile import Secrets, decrypt, encrypt, identity, read_recipients
from signupflow.secrets_cli import main

MARKER = "marker-4b1d9c-not-to-be-seen"
VALUES = {"jwt_keys": MARKER}


@pytest.fixture
def key() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNUPFLOW_AGE_KEY", raising=False)
    monkeypatch.delenv("SIGNUPFLOW_AGE_KEY_FILE", raising=False)


def test_sec001_every_recipient_opens_the_file_and_nobody_else(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    colleague, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    path = tmp_path / "production.age"
    encrypt(path, {"jwt_keys": MARKER}, [str(key.to_public()), str(colleague.to_public())])
    assert decrypt(path, key) == decrypt(path, colleague) == {"jwt_keys": MARKER}
    assert MARKER not in path.read_text()
    with pytest.raises(OperatorError, match="cannot open") as caught:
        decrypt(path, stranger)
    assert MARKER not in str(caught.value)


def test_sec001_the_file_is_private_and_replaced_whole(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    path = tmp_path / "production.age"
    encrypt(path, {"one": "1"}, [str(key.to_public())])
    encrypt(path, {"two": "2"}, [str(key.to_public())])
    assert path.stat().st_mode & 0o777 == 0o600
    assert decrypt(path, key) == {"two": "2"}
    assert sorted(item.name for item in tmp_path.iterdir()) == ["production.age", "production.recipients"]


def test_sec001_what_is_encrypted_to_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="at least one recipient"):
        encrypt(tmp_path / "x.age", {"one": "1"}, [])


@pytest.mark.parametrize(
    ("values", "named"),
    [({"Upper": "x"}, "Upper"), ({"empty": " "}, "empty"), ({"nul": f"{MARKER}\x00"}, "nul"), ({"number": 5}, "number")],
)
def test_sec001_bad_values_are_named_and_not_shown(tmp_path: Path, key: pyrage.x25519.Identity, values: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        encrypt(tmp_path / "x.age", values, [str(key.to_public())])
    assert MARKER not in str(caught.value)


def test_fr031_a_missing_secret_is_named() -> None:
    with pytest.raises(OperatorError, match=r"lacks the secrets never_made, other; add with"):
        Secrets({"digest_key": "k"}).require(("digest_key", "never_made", "other"), "secrets/x.age")


def test_fr031_secrets_do_not_print_themselves() -> None:
    secrets = Secrets({"jwt_keys": MARKER, "digest_key": "k"})
    assert MARKER not in f"{secrets!r} {secrets}"
    assert secrets.digest(MARKER) != Secrets({"digest_key": "other"}).digest(MARKER)
    assert MARKER not in secrets.digest(MARKER)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds 0 age keys"),
        ("AGE-SECRET-KEY-1A\nAGE-SECRET-KEY-1B\n", "holds 2 age keys"),
        ("AGE-SECRET-KEY-1A\n", "valid age key"),
    ],
)
def test_fr031_a_bad_key_file_is_explained(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "age.key").write_text(content)
    with pytest.raises(OperatorError, match=said):
        identity("production", str(tmp_path / "age.key"))


def secrets_command(directory: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts" / "secrets.py"), *arguments]
        variables = {"HOME": str(directory), "PATH": "/usr/bin:/bin", **environment}
        return subprocess.run(command, cwd=directory, env=variables, input=stdin, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_fr031_the_command_from_init_to_a_second_recipient(tmp_path: Path) -> None:
    """init, show, set, edit, recipients, re-encrypt, as an operator types them; no value is ever printed."""
    run = secrets_command(tmp_path)
    outputs = [run("init", "staging")]
    path = tmp_path / "secrets" / "staging.age"
    assert path.exists()
    assert (tmp_path / ".config/signupflow/staging.key").stat().st_mode & 0o777 == 0o600
    assert run("init", "staging").returncode == 1

    outputs.append(run("set", "staging", "smtp_password", stdin=MARKER + "\n"))
    shown = run("show", "staging")
    assert "smtp_password" in shown.stdout.split()
    assert {"digest_key", "jwt_keys", "postgres_app_password"} <= set(shown.stdout.split())

    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"smtp_password": "[^"]*"/"smtp_password": "edited"/\' "$1"\n')
    editor.chmod(0o755)
    outputs.append(run("edit", "staging", EDITOR=str(editor)))
    own = identity("staging", str(tmp_path / ".config/signupflow/staging.key"))
    assert decrypt(path, own)["smtp_password"] == "edited"

    colleague = pyrage.x25519.Identity.generate()
    outputs.append(run("recipients", "staging", "--add", str(colleague.to_public())))
    assert decrypt(path, colleague) == decrypt(path, own)
    outputs.append(run("recipients", "staging", "--remove", str(colleague.to_public())))
    outputs.append(run("re-encrypt", "staging"))
    with pytest.raises(OperatorError):
        decrypt(path, colleague)
    assert read_recipients(path) == [str(own.to_public())]

    everything = "".join(item.stdout + item.stderr for item in [*outputs, shown])
    assert all(item.returncode == 0 for item in outputs), everything
    leaked = [name for name, value in decrypt(path, own).items() if value in everything]
    assert not leaked
    assert MARKER not in everything


def test_fr031_an_editor_that_breaks_the_file_changes_nothing(tmp_path: Path) -> None:
    run = secrets_command(tmp_path)
    run("init", "staging")
    before = (tmp_path / "secrets/staging.age").read_bytes()
    for script in ('echo broken > "$1"', "exit 3", """echo '{"Bad Name": "x"}' > "$1" """, """echo '["list"]' > "$1" """):
        editor = tmp_path / "editor"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o755)
        done = run("edit", "staging", EDITOR=str(editor))
        assert done.returncode == 1, script
        assert done.stderr.startswith("Error: "), done.stderr
        assert "nothing was changed" in done.stderr
    assert (tmp_path / "secrets/staging.age").read_bytes() == before


def test_fr031_what_opens_but_is_not_secrets_is_refused(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    path = tmp_path / "x.age"
    for content in (b"not json", json.dumps(["list"]).encode(), json.dumps({"a": 1}).encode()):
        path.write_bytes(pyrage.encrypt(content, [key.to_public()]))
        with pytest.raises(OperatorError, match="does not hold a JSON object"):
            decrypt(path, key)


class _KilledError(BaseException):
    """Nothing catches it."""


@pytest.mark.parametrize("change", ["--remove", "--add"])
def test_c12_recipients_that_were_cut_off_are_changed_by_the_same_command(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two files: what is encrypted is never for more than is asked for, and the command can be repeated."""
    own, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    key, path = tmp_path / "own.key", tmp_path / "staging.age"
    key.write_text(f"{own}\n")
    both = [str(own.to_public()), str(other.to_public())]
    encrypt(path, VALUES, both if change == "--remove" else both[:1])
    command = ["recipients", "staging", "--file", str(path), "--key", str(key), change, both[1]]
    replace, renamed = Path.rename, []

    def killed(self: Path, target: Path) -> Path:
        renamed.append(target)
        if len(renamed) == 2:
            raise _KilledError
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(_KilledError):
            main(command, standalone_mode=False)
    if change == "--remove":
        with pytest.raises(OperatorError, match="cannot open"):
            decrypt(path, other)
    assert decrypt(path, own) == VALUES
    for _ in range(2):
        main(command, standalone_mode=False)
        assert read_recipients(path) == (both[:1] if change == "--remove" else both)
    if change == "--add":
        assert decrypt(path, other) == VALUES


def test_c12_whoever_is_not_listed_opens_nothing_when_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a version that wrote the list first may have left it: the list says that the key is gone, and it opens the file."""
    own, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    key, path = tmp_path / "own.key", tmp_path / "staging.age"
    key.write_text(f"{own}\n")
    encrypt(path, VALUES, [str(own.to_public()), str(other.to_public())])
    path.with_suffix(".recipients").write_text(f"{own.to_public()}\n")
    main(
        ["recipients", "staging", "--file", str(path), "--key", str(key), "--remove", str(other.to_public())],
        standalone_mode=False,
    )
    assert "was not in the list" in capsys.readouterr().err
    with pytest.raises(OperatorError, match="cannot open"):
        decrypt(path, other)
