"""Keys are checked before they are written, and written for their owner only."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from pipeline import access
from signupflow.errors import OperatorError


def public(kind: str) -> str:
    return base64.b64encode(len(kind).to_bytes(4) + kind.encode() + b"\0\0\0\x20" + bytes(range(32))).decode()


KEY = f"web1.example.org ssh-ed25519 {public('ssh-ed25519')}"
# Not a key: its lines hold nothing.
PRIVATE = f"{access.BEGIN}\nMARKER\n{access.END}"


def test_sec007_host_keys_are_kept_as_they_were_given() -> None:
    given = f"# the edge\r\n{KEY} a comment\n\n[192.0.2.1]:2222 ssh-rsa {public('ssh-rsa')}\n"
    assert access.known_hosts(given) == f"{KEY} a comment\n[192.0.2.1]:2222 ssh-rsa {public('ssh-rsa')}\n"


@pytest.mark.parametrize(
    "text",
    [
        "", "# nothing\n", "web1", f"web1 ssh-ed25519 {public('ssh-rsa')}", "web1 ssh-ed25519 $(touch x)", "web1 dss AAAA",
        f"@cert-authority {KEY}", f"@revoked {KEY}", f"{KEY}\nweb2 ssh-ed25519 AAAA", "ssh-ed25519 " + public("ssh-ed25519"),
    ],
)  # fmt: skip
def test_sec007_what_pins_no_host_key_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="SSH_KNOWN_HOSTS"):
        access.known_hosts(text)


def test_sec001_a_key_is_for_its_owner_only_and_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / ".ssh" / "id_ed25519"
    key = access.private_key(PRIVATE.replace("\n", "\r\n") + "  \n")
    assert key == PRIVATE + "\n"
    access.write_key(path, key)
    access.write_key(path, key)
    assert path.read_text() == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(OperatorError, match="another key"):
        access.write_key(path, key.replace("MARKER", "OTHER"))
    assert "MARKER" in path.read_text()


@pytest.mark.parametrize("text", ["", "MARKER", PRIVATE[:-3], PRIVATE.replace("OPENSSH", "RSA")])
def test_sec001_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(OperatorError, match="SSH_PRIVATE_KEY") as refused:
        access.private_key(text)
    assert "MARKER" not in str(refused.value)
