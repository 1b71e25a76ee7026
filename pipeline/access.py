"""The key and the pinned host keys by which a runner reaches hosts: checked before they are written."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path

from signupflow.errors import OperatorError

KEY_TYPES = re.compile(r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)")
BEGIN, END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


def known_hosts(text: str) -> str:
    """What may go into a known_hosts file: host keys, at least one. No marker, no comment: each line pins one key."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if len(parts) < 3 or line.startswith("@") or not KEY_TYPES.fullmatch(parts[1]) or not _holds(parts[2], parts[1]):
            raise OperatorError(
                f"SSH_KNOWN_HOSTS, host key {number}: not `HOST KEY-TYPE KEY`; copy the line from your known_hosts file"
            )
    if not lines:
        raise OperatorError("SSH_KNOWN_HOSTS is empty; put the hosts' keys there, they are never fetched at deploy time")
    return "\n".join(lines) + "\n"


def private_key(text: str) -> str:
    """An OpenSSH private key, with the line end that ssh wants and web forms lose."""
    found = text.replace("\r\n", "\n").strip()
    if not (found.startswith(BEGIN) and found.endswith(END)):
        raise OperatorError("SSH_PRIVATE_KEY is no OpenSSH private key; paste the whole file, its first and last line included")
    return found + "\n"


def write_key(path: Path, key: str) -> None:
    """For its owner only from the first moment on; a key that is there already is never replaced."""
    if path.exists():
        if path.read_text() != key:
            raise OperatorError(f"{path} holds another key already; this is for a fresh machine")
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key)


def _holds(encoded: str, kind: str) -> bool:
    """Whether it is the base64 of a key of that type: RFC 4253, section 6.6, begins with the type's name."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return raw[4 : 4 + len(kind)] == kind.encode() and int.from_bytes(raw[:4]) == len(kind)
