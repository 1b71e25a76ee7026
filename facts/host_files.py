"""What one managed file on the host looks like, in one round trip."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand

APPLIED = "/var/lib/signupflow/applied"


@dataclass(frozen=True)
class HostFile:
    """State of a regular file. `content` is None when the file is absent or holds something else than UTF-8."""

    exists: bool = False
    mode: str = ""
    owner: str = ""
    content: str | None = None
    applied: str = ""


def marker(path: str) -> str:
    """Where `operations.files.config` notes the hash of what was last put into effect from `path`."""
    return f"{APPLIED}/{path.strip('/').replace('/', '-')}.sha256"


class ManagedFile(FactBase[HostFile]):
    """Mode (octal), owner (`user:group`), content and the applied marker of a file that holds no secret."""

    @staticmethod
    def default() -> HostFile:
        return HostFile()

    def command(self, path: str) -> StringCommand:
        quoted, mark = QuoteString(path), QuoteString(marker(path))
        return StringCommand(
            "if test -f", quoted, "; then stat -c 'stat %a %U:%G'", quoted, "; printf 'content '; base64 -w0", quoted,
            "; echo; fi; printf 'applied '; cat", mark, "2>/dev/null || echo",
        )  # fmt: skip

    def process(self, output: list[str]) -> HostFile:
        lines = dict(line.split(" ", 1) for line in output if " " in line)
        applied = lines.get("applied", "").strip()
        if "stat" not in lines:
            return HostFile(applied=applied)
        mode, owner = lines["stat"].split()
        try:
            content = base64.b64decode(lines.get("content", "")).decode()
        except UnicodeDecodeError:
            content = None
        return HostFile(True, mode.zfill(4), owner, content, applied)


class AppendedText(FactBase[str]):
    """A file of lines that are only appended to, such as a journal; empty when there is none.

    Bytes that are no UTF-8 come as surrogates: what a power cut made of one line does not take the others away.
    """

    @staticmethod
    def default() -> str:
        return ""

    def command(self, path: str) -> StringCommand:
        quoted = QuoteString(path)
        return StringCommand("if test -f", quoted, "; then base64 -w0", quoted, "; fi; echo")

    def process(self, output: list[str]) -> str:
        return base64.b64decode("".join(output)).decode(errors="surrogateescape")


class FileSizes(FactBase[dict[str, int]]):
    """Bytes of those of `paths` that are files."""

    @staticmethod
    def default() -> dict[str, int]:
        return {}

    def command(self, paths: tuple[str, ...]) -> StringCommand:
        quoted = [QuoteString(path) for path in paths]
        return StringCommand("for path in", *quoted, '; do test ! -f "$path" || stat -L -c \'%s %n\' "$path"; done')

    def process(self, output: list[str]) -> dict[str, int]:
        return {path: int(size) for size, _, path in (line.partition(" ") for line in output)}


@dataclass(frozen=True)
class SecretEntry:
    """Mode (octal), numeric owner and SHA-256 (hex) of one secret file; never its content."""

    mode: str
    uid: int
    sha256: str


class SecretDirectory(FactBase[dict[str, SecretEntry]]):
    """The files of a secrets directory, and under `.` the directory itself; empty when there is none.

    Short secrets are refused (`signupflow.secretfile.SHORTEST`), so a plain digest cannot be searched back.
    """

    @staticmethod
    def default() -> dict[str, SecretEntry]:
        return {}

    def command(self, path: str) -> StringCommand:
        quoted = QuoteString(path)
        return StringCommand(
            "if test -d", quoted, "; then stat -c '%a %u - .'", quoted, "; cd", quoted,
            "&& find . -mindepth 1 -maxdepth 1 -type f -printf '%P\\n' | while read -r f; do echo \"$(stat -c '%a %u' \"$f\")"
            " $(sha256sum < \"$f\" | cut -c1-64) $f\"; done; fi",
        )  # fmt: skip

    def process(self, output: list[str]) -> dict[str, SecretEntry]:
        entries = {}
        for line in output:
            mode, uid, digest, name = line.split(" ", 3)
            entries[name] = SecretEntry(mode.zfill(4), int(uid), digest)
        return entries


class Holds(FactBase[bool]):
    """Whether a condition, given as a shell command that prints nothing of use, holds on the host."""

    @staticmethod
    def default() -> bool:
        return False

    def command(self, condition: str) -> str:
        return f"if ( {condition} ) >/dev/null 2>&1; then echo yes; else echo no; fi"

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]
