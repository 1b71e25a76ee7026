"""The secrets that an environment begins with: what is generated, what one was given, and what the file holds already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signupflow.errors import OperatorError
from signupflow.secretfile import SecretsFile
from signupflow.secrets_cli import generated, make_key


@dataclass(frozen=True)
class Vault:
    """An environment's secrets file. `held` is None where there is none yet."""

    target: SecretsFile
    held: Mapping[str, str] | None

    @classmethod
    def open(cls, target: SecretsFile) -> Vault:
        """Read what is there; raise OperatorError when it is there and does not open."""
        return cls(target, target.read() if target.path.exists() else None)

    def missing(self, given: Mapping[str, str]) -> dict[str, str]:
        """What is to be added: generated where nothing is, given where it is new. A given value that differs is refused."""
        held = self.held or {}
        for name, value in given.items():
            if held.get(name, value) != value:
                raise OperatorError(
                    f"{self.target.path} holds another {name}: `signupflow secrets set {self.target.environment} {name}` "
                    "changes it; nothing was written"
                )
        made = {**generated(), **given}
        if ("postgres_tls_key" in held) != ("postgres_tls_certificate" in held):
            raise OperatorError(f"{self.target.path} holds one of postgres_tls_key and postgres_tls_certificate: set the other")
        return {name: value for name, value in made.items() if name not in held}

    def add(self, values: Mapping[str, str]) -> list[str]:
        """Write them, with a key where there is none; what was done, a line each."""
        done = []
        if make_key(self.target):
            done.append(f"made the key {self.target.key_path}; keep a copy offline, nothing opens the secrets without it")
        identity = self.target.identity()
        recipients = [str(identity.to_public())] if self.held is None else self.target.recipients()
        self.target.write({**(self.held or {}), **values}, recipients)
        return [*done, f"wrote {self.target.path} with {', '.join(sorted(values))}"]
