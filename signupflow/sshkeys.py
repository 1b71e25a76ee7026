"""A pair of SSH keys that is being replaced by a new one beside it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from signupflow.errors import OperatorError


class Pair:
    """The private key at `path`, its public half beside it, and the pair that is to take their place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.new, self.old = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")

    @property
    def public(self) -> str:
        return _public(self.path)

    @property
    def new_public(self) -> str:
        return _public(self.new)

    def new_is_named(self, keys: Iterable[str]) -> bool:
        """Whether a run before has written the new key down already."""
        return self.new.exists() and self.new_public in keys

    @property
    def half_swapped(self) -> bool:
        """Whether a run before was cut off in `swap`: its public half goes ahead of a private key."""
        return self.new.exists() and not all(
            Path(f"{path}").exists() for path in (self.path, f"{self.path}.pub", f"{self.new}.pub")
        )

    def make_new(self) -> None:
        """The new pair, unless a run before has made it; whole, or not there."""
        if self.new.exists():
            return
        made = self.path.with_name(self.path.name + ".made")
        for left in (made, Path(f"{made}.pub")):
            left.unlink(missing_ok=True)
        comment = [*self.public.split(maxsplit=2), "", ""][2]
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperatorError(f"no new key at {made}: {done.stderr.strip()}")
        os.replace(f"{made}.pub", f"{self.new}.pub")
        os.replace(made, self.new)

    def swap(self) -> None:
        """The new pair in the place of the old one, which is kept. Goes on where it was cut off."""
        for suffix in (".pub", ""):
            new, path, old = (Path(f"{path}{suffix}") for path in (self.new, self.path, self.old))
            if new.exists():
                if path.exists():
                    os.replace(path, old)
                os.replace(new, path)


def _public(path: Path) -> str:
    """One line: type, key, comment."""
    listed = Path(f"{path}.pub")
    if not listed.is_file():
        raise OperatorError(f"no {listed}; make it with `ssh-keygen -y -f {path} > {listed}`")
    return listed.read_text().strip()


def naming(key: str, files: Iterable[Path], root: Path) -> list[Path]:
    """Which of the files hold a public key."""
    return [path for path in (root / file for file in files) if path.is_file() and _body(key) in path.read_text()]


def replaced(path: Path, old: str, new: str) -> None:
    """The file with one key in the place of another, by rename."""
    text = path.read_text()
    if old in text:
        text = text.replace(old, new)
    elif _type(old) == _type(new):
        # A formatter has broken the line between the key's parts, which are the same but for the middle one.
        text = text.replace(_body(old), _body(new))
    else:
        raise OperatorError(f"{path} has the {_type(old)} key over several lines; write it on one")
    partial = path.with_name(path.name + ".new")
    partial.write_text(text)
    partial.chmod(path.stat().st_mode & 0o777)
    os.replace(partial, path)


def _type(key: str) -> str:
    return key.split(maxsplit=1)[0]


def _body(key: str) -> str:
    return key.split()[1]
