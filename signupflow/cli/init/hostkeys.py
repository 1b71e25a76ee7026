"""Host keys: what `ssh-keyscan` fetched, as OpenSSH shows it to people, and what `known_hosts` pins."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

# The first of these that a host shows is pinned.
PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
SCANNED_TYPES = "ed25519,ecdsa,rsa"


@dataclass(frozen=True)
class HostKey:
    """A public key: its type and its base64 text."""

    kind: str
    blob: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it: SHA256 of the key, base64 without padding."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def marker(address: str, port: int) -> str:
    """How `known_hosts` names a host."""
    return address if port == 22 else f"[{address}]:{port}"


def scanned(text: str) -> list[HostKey]:
    """The keys that `ssh-keyscan` printed for one host, the preferred one first."""
    rows = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    keys = {HostKey(row[1], row[2]) for row in rows if len(row) >= 3 and row[1] in PREFERRED and _is_base64(row[2])}
    return sorted(keys, key=lambda key: (PREFERRED.index(key.kind), key.blob))


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def pinned(known_hosts: str, host: str) -> list[HostKey]:
    """The keys that a `known_hosts` text has for a host (as `marker` names it), hashed names included."""
    keys = []
    for line in known_hosts.splitlines():
        row = line.split()
        # Remarks, and lines that are marked (@revoked, @cert-authority), begin with what names no host.
        if len(row) >= 3 and any(_names(name, host) for name in row[0].split(",")):
            keys.append(HostKey(row[1], row[2]))
    return keys


def _names(pattern: str, host: str) -> bool:
    if not pattern.startswith("|1|"):
        return pattern == host
    try:
        salt, digest = (base64.b64decode(part) for part in pattern.split("|")[2:4])
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, host.encode(), "sha1").digest(), digest)


def stranger(shown: Sequence[HostKey], pins: Sequence[HostKey]) -> HostKey | None:
    """The pinned key that a host no longer shows: then it is not the host that was pinned, or was installed anew."""
    return next((pin for pin in pins if pin not in shown), None)


def extended(known_hosts: str, new: Sequence[tuple[str, HostKey]]) -> str:
    """The text with a line for each new pin; every line that it has stays."""
    kept = known_hosts if not known_hosts or known_hosts.endswith("\n") else known_hosts + "\n"
    return kept + "".join(f"{host} {key.kind} {key.blob}\n" for host, key in new)
