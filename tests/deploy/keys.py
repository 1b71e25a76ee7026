"""Public host keys as sshd shows them; paramiko reads them, so they are real ones."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signupflow.cli.init.host_keys import HostKey


def ed25519(name: str) -> HostKey:
    """The same for the same name: 32 bytes, which all are a key (RFC 8709, 4)."""
    parts = (b"ssh-ed25519", name.encode().ljust(32, b"."))
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HostKey("ssh-ed25519", base64.b64encode(blob).decode())


def rsa_key() -> HostKey:
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    kind, blob, *_ = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()
    return HostKey(kind, blob)
