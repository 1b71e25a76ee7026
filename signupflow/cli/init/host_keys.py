"""Host keys: what `ssh-keyscan` fetched, as OpenSSH shows it to people, and what `known_hosts` pins."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey
from paramiko.ssh_exception import SSHException

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
    keys = {key for _, key in map(_entry, text.splitlines()) if key and key.kind in PREFERRED}
    return sorted(keys, key=lambda key: (PREFERRED.index(key.kind), key.blob))


def pinned(known_hosts: str, host: str) -> list[HostKey]:
    """The keys that a `known_hosts` text has for a host (as `marker` names it), hashed names included."""
    return [key for names, key in map(_entry, known_hosts.splitlines()) if key and any(_is(name, host) for name in names)]


def _entry(line: str) -> tuple[list[str], HostKey | None]:
    """The names and the key of a line; none of remarks, of lines with a marker (@revoked), and of what is no key."""
    words = line.split()
    if len(words) < 3 or words[0].startswith(("#", "@")):
        return [], None
    try:
        entry = HostKeyEntry.from_line(" ".join(words[:3]))
    except (InvalidHostKey, SSHException, ValueError):
        return [], None
    return (entry.hostnames, HostKey(entry.key.get_name(), entry.key.get_base64())) if entry else ([], None)


def _is(name: str, host: str) -> bool:
    """Whether a name of `known_hosts`, in clear or hashed, is the host's."""
    try:
        return name == host or (name.startswith("|1|") and HostKeys.hash_host(host, name) == name)
    except (AssertionError, ValueError, IndexError):  # a salt that is none
        return False


def stranger(shown: Sequence[HostKey], pins: Sequence[HostKey]) -> HostKey | None:
    """The pinned key that a host no longer shows: then it is not the host that was pinned, or was installed anew."""
    return next((pin for pin in pins if pin not in shown), None)


def extended(known_hosts: str, new: Sequence[tuple[str, HostKey]]) -> str:
    """The text with a line for each new pin; every line that it has stays."""
    kept = known_hosts if not known_hosts or known_hosts.endswith("\n") else known_hosts + "\n"
    return kept + "".join(f"{host} {key.kind} {key.blob}\n" for host, key in new)
