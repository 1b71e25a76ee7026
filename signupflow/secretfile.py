"""One age file per environment: JSON of names to values, encrypted to several recipients.

Format: https://age-encryption.org/v1; the `age` command reads the same file. Recipients are public
and stand beside it in `<file>.recipients`, one a line, because age does not name them inside.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyrage

from signupflow.errors import OperatorError

NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
KEY_VARIABLE = "SIGNUPFLOW_AGE_KEY"

# Hosts compare secret files by plain SHA-256, which must tell nothing: what can be guessed is refused.
SHORTEST = 16


def recipients_path(path: Path) -> Path:
    return path.with_suffix(".recipients")


def read_recipients(path: Path) -> list[str]:
    listed = recipients_path(path)
    if not listed.is_file():
        raise OperatorError(f"no recipients file {listed}: restore it from the repository, where it is beside the secrets file")
    lines = (line.split("#")[0].strip() for line in listed.read_text().splitlines())
    return [line for line in lines if line]


def identity(environment: str, key_file: str = "") -> pyrage.x25519.Identity:
    """The operator's private key: SIGNUPFLOW_AGE_KEY, `key_file`, SIGNUPFLOW_AGE_KEY_FILE, or the default place."""
    if os.environ.get(KEY_VARIABLE):
        return parse_identity(os.environ[KEY_VARIABLE], f"the variable {KEY_VARIABLE}")
    path = key_path(environment, key_file)
    if not path.is_file():
        raise OperatorError(
            f"no age key at {path}; put the key of environment {environment} there, or set {KEY_VARIABLE} or {KEY_VARIABLE}_FILE"
        )
    return parse_identity(path.read_text(), str(path))


def key_path(environment: str, key_file: str = "") -> Path:
    """Where the operator's private key is: `key_file`, SIGNUPFLOW_AGE_KEY_FILE, or the default place."""
    named = key_file or os.environ.get(f"{KEY_VARIABLE}_FILE", "")
    return Path(named).expanduser() if named else Path.home() / ".config" / "signupflow" / f"{environment}.key"


def parse_identity(text: str, where: str) -> pyrage.x25519.Identity:
    keys = [line.strip() for line in text.splitlines() if line.strip().startswith("AGE-SECRET-KEY-")]
    if len(keys) != 1:
        raise OperatorError(f"{where} holds {len(keys)} age keys; it must hold exactly one AGE-SECRET-KEY line")
    try:
        return pyrage.x25519.Identity.from_str(keys[0])
    except pyrage.IdentityError:
        raise OperatorError(f"{where} does not hold a valid age key") from None


def decrypt(path: Path, key: pyrage.x25519.Identity) -> dict[str, str]:
    """Read the file in memory. Errors never carry what was decrypted."""
    if not path.is_file():
        raise OperatorError(
            f"no secrets file {path}: bring it there, or name another in secrets_file (`signupflow init` makes a new one)"
        )
    try:
        clear = pyrage.decrypt(path.read_bytes(), [key])
    except pyrage.DecryptError:
        raise OperatorError(
            f"the age key {key.to_public()} cannot open {path}; use the right key, or have a holder add it "
            "with `signupflow secrets recipients --add`"
        ) from None
    try:
        values: dict[str, str] = json.loads(clear)
        check(values)
    except (ValueError, TypeError, AttributeError):
        raise OperatorError(f"{path} opens but does not hold a JSON object of names to text") from None
    return values


def check(values: Mapping[str, str]) -> None:
    """Raise ValueError that names the fault, never the value."""
    for name, value in values.items():
        if not NAME.match(name):
            raise ValueError(f"secret name {name!r} must be lower-case letters, digits and underscores")
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"secret {name} is empty or not text")
        if "\x00" in value:
            raise ValueError(f"secret {name} holds a NUL byte")


def encrypt(path: Path, values: Mapping[str, str], recipients: list[str]) -> None:
    """Write the file beside and rename it over, 0600, so that a kill leaves the old one whole.

    The list of recipients is written after it: it must never say of a key that still opens the file that it is gone. Of a new
    file it is the first, since there is nothing yet that it could say too much of.
    """
    check(values)
    if not recipients:
        raise OperatorError("a secrets file needs at least one recipient")
    try:
        keys = [pyrage.x25519.Recipient.from_str(line) for line in recipients]
    except pyrage.RecipientError as error:
        raise OperatorError(f"not an age recipient: {error}") from None
    sealed = pyrage.encrypt(json.dumps(dict(sorted(values.items()))).encode(), keys, armored=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    both = ((path, sealed), (recipients_path(path), "\n".join(recipients).encode() + b"\n"))
    for target, content in both if path.exists() else reversed(both):
        partial = target.with_name(target.name + ".new")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        partial.rename(target)


def write_private(path: Path, text: str) -> None:
    """A new file that nobody else may read; an error when there is one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)


@dataclass(frozen=True)
class SecretsFile:
    """An environment's secrets file and the key that opens it; `key_file` is empty for the usual place."""

    environment: str
    path: Path
    key_file: str = ""

    @classmethod
    def of(cls, environment: str, path: str = "", key_file: str = "", root: Path = Path()) -> SecretsFile:
        """A relative path is below `root`, and by default the environment's own."""
        return cls(environment, root / (path or f"secrets/{environment}.age"), key_file)

    @property
    def key_path(self) -> Path:
        return key_path(self.environment, self.key_file)

    def identity(self) -> pyrage.x25519.Identity:
        return identity(self.environment, self.key_file)

    def recipients(self) -> list[str]:
        return read_recipients(self.path)

    def read(self) -> dict[str, str]:
        return decrypt(self.path, self.identity())

    def write(self, values: Mapping[str, str], recipients: list[str] | None = None) -> None:
        """To those whom it is for already, unless others are named."""
        encrypt(self.path, values, recipients or self.recipients())


class Secrets(Mapping[str, str]):
    """Decrypted values that do not print themselves."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def require(self, names: tuple[str, ...], where: str) -> None:
        missing = [name for name in names if name not in self._values]
        if missing:
            raise OperatorError(
                f"{where} lacks the secret{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
                "add with `signupflow secrets complete` (what can be generated) or `signupflow secrets set`"
            )

        short = [name for name in names if len(self._values[name]) < SHORTEST]
        if short:
            raise OperatorError(
                f"secret {', '.join(short)} in {where} is shorter than {SHORTEST} characters; generate a longer one"
            )

    def digest(self, text: str) -> str:
        """Keyed digest (HMAC-SHA-256, hex): tells that a secret changed, and nothing about it."""
        return hmac.new(self._values["digest_key"].encode(), text.encode(), sha256).hexdigest()
