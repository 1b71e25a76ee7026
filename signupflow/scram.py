"""PostgreSQL's SCRAM-SHA-256 verifier, made here so that a clear password never reaches the server's log.

Format of pg_authid.rolpassword, PostgreSQL 17 documentation, section 52.8; algorithm: RFC 5803 and RFC 7677.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64encode
from hashlib import pbkdf2_hmac, sha256

ITERATIONS = 4096  # PostgreSQL's default scram_iterations


def verifier(password: str, salt: bytes | None = None) -> str:
    """`SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>`; passwords here are ASCII, so SASLprep is the identity."""
    if not password.isascii():
        raise ValueError("database passwords must be ASCII")
    salt = salt or os.urandom(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{b64encode(salt).decode()}${b64encode(stored).decode()}:{b64encode(server).decode()}"
