"""Passwords (bcrypt, as the existing rows have them) and sign-in tokens (JWT, HS256, several keys by `kid`)."""

import dataclasses
import datetime as dt
from typing import Any

import bcrypt
import jwt

from app.settings import JwtKeys

ROUNDS = 12
# bcrypt reads 72 bytes. Longer new passwords are refused; existing hashes were made from the first 72 bytes.
MAX_PASSWORD_BYTES = 72
_ISSUER = "signupflow"
# Compared against when there is nothing else, so that "no such person" takes as long as "wrong password".
_NOBODY = b"$2b$12$8pQ2mG7cN1xYv0tR5sLhUe0i0kZ3wQ9aJ6bH4dF2gT7yC1nM5rXoS"


def hash_password(password: str) -> str:
    """A `$2b$12$` hash. The password is at most MAX_PASSWORD_BYTES of UTF-8."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode("ascii")


def verify_password(password: str, password_hash: str | None) -> bool:
    """Takes the same time whether there is a hash or not. False for people without a password."""
    stored = password_hash.encode() if password_hash else _NOBODY
    try:
        matches = bcrypt.checkpw(password.encode("utf-8", "surrogatepass")[:MAX_PASSWORD_BYTES], stored)
    except ValueError:  # not a bcrypt hash
        return False
    return matches and bool(password_hash)


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a valid token says. `version` must equal the person's: raising that ends all their sessions."""

    person_id: str
    org_id: str
    version: int


class InvalidTokenError(Exception):
    pass


def issue_token(keys: JwtKeys, identity: Identity, ttl: int) -> str:
    """A token that lasts `ttl` seconds."""
    now = dt.datetime.now(dt.UTC)
    claims = {
        "iss": _ISSUER,
        "sub": identity.person_id,
        "org": identity.org_id,
        "ver": identity.version,
        "iat": now,
        "exp": now + dt.timedelta(seconds=ttl),
    }
    return jwt.encode(claims, keys.secrets[keys.signing_kid], algorithm="HS256", headers={"kid": keys.signing_kid})


def read_token(keys: JwtKeys, token: str) -> Identity:
    """Raises InvalidTokenError for anything that one of our keys did not sign, or that has expired."""
    try:
        secret = keys.secrets[jwt.get_unverified_header(token)["kid"]]
        claims: dict[str, Any] = jwt.decode(
            token, secret, algorithms=["HS256"], issuer=_ISSUER, options={"require": ["exp", "iat", "sub", "iss"]}
        )
        return Identity(person_id=str(claims["sub"]), org_id=str(claims["org"]), version=int(claims["ver"]))
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        raise InvalidTokenError from None


def expires_at(token: str) -> float:
    """When a token that `read_token` accepted ends, as Unix time."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return float(claims["exp"])
