"""One build of the app's image: pushed once, and taken from environment to environment by its digest."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass

from signupflow.errors import OperatorError
from signupflow.images import Reference

COMMIT = re.compile(r"[0-9a-f]{40}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SHORT = 12


def tag(version: str, commit: str) -> str:
    """The image's tag: the project's version and the commit it was built from, such as 1.4.0-g0123456789ab."""
    return f"{version}-g{commit[:SHORT]}"


@dataclass(frozen=True)
class Build:
    """`name` is the repository in the registry, `config` the image id, `digest` the manifest's once it was pushed.

    Every field is checked on the way in, so that what came from a file or a variable can be put in a command.
    """

    name: str
    tag: str
    commit: str
    config: str
    digest: str = ""

    def __post_init__(self) -> None:
        reference = pinned(self.reference) if self.digest else parsed(self.reference)
        if (reference.name, reference.tag) != (self.name, self.tag):
            raise OperatorError(f"{self.name!r} with tag {self.tag!r} is no image name; the variable IMAGE_NAME takes no tag")
        if not COMMIT.fullmatch(self.commit):
            raise OperatorError(f"{self.commit!r} is no commit: 40 hexadecimal digits name one")
        if not DIGEST.fullmatch(self.config):
            raise OperatorError(f"{self.config!r} is no image id such as sha256:...")

    @property
    def reference(self) -> str:
        """As a setting names it: name:tag, with @digest once it was pushed."""
        return f"{self.name}:{self.tag}" + (f"@{self.digest}" if self.digest else "")

    def pushed(self, digest: str) -> Build:
        return dataclasses.replace(self, digest=digest)

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, path: str) -> Build:
        """Raises OperatorError for what is no build."""
        try:
            found = json.loads(text)
            if not all(isinstance(value, str) for value in found.values()):
                raise TypeError
            return cls(**found)
        except (ValueError, TypeError, AttributeError):
            raise OperatorError(f"{path} is no record of a build; `scripts/delivery.py build` writes one") from None


def parsed(text: str) -> Reference:
    """An image reference; OperatorError for anything else."""
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise OperatorError(str(error)) from None


def pinned(text: str) -> Reference:
    """The same, with a digest: what a tag leads to can change between two looks."""
    reference = parsed(text)
    if not reference.digest:
        raise OperatorError(f"{text} names no digest; give NAME:TAG@sha256:...")
    return reference


def registry(name: str) -> str:
    """The registry's host in an image name, as docker reads it; empty for docker's default one."""
    first, slash, _ = name.partition("/")
    return first if slash and (first == "localhost" or {".", ":"} & set(first)) else ""
