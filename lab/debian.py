"""Where Debian packages come from on this machine: its own apt sources, read at run time, and nothing written down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Mirror:
    """Base addresses of a Debian archive and of its security archive (None when the sources name none)."""

    archive: str
    security: str | None

    def lines(self, suite: str) -> list[str]:
        """One-line apt sources for `suite`, as mmdebstrap takes them."""
        lines = [f"deb {self.archive} {suite} main", f"deb {self.archive} {suite}-updates main"]
        if self.security:
            lines.append(f"deb {self.security} {suite}-security main")
        return lines


def deb822_uris(text: str) -> list[str]:
    """URIs of the enabled binary entries of a deb822 `.sources` file."""
    uris: list[str] = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        if "deb" in fields.get("types", "").split():
            uris += fields.get("uris", "").split()
    return uris


def one_line_uris(text: str) -> list[str]:
    """URIs of the binary entries of a one-line `.list` file; options in brackets are skipped."""
    uris: list[str] = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words or words[0] != "deb":
            continue
        rest = words[1:]
        if rest and rest[0].startswith("["):
            while rest and not rest[0].endswith("]"):
                rest = rest[1:]
            rest = rest[1:]
        uris += rest[:1]
    return uris


def choose(uris: list[str]) -> Mirror | None:
    """The first entry whose path says that it serves Debian; Ubuntu's and vendors' archives do not."""

    def serving(what: str) -> str | None:
        for uri in uris:
            if uri.startswith(("http://", "https://")) and urlsplit(uri).path.rstrip("/").endswith(f"/{what}"):
                return uri.rstrip("/")
        return None

    archive = serving("debian")
    return Mirror(archive, serving("debian-security")) if archive else None


def machine_mirror(etc: Path = Path("/etc/apt")) -> Mirror | None:
    """The mirror that this machine's apt uses, or None: then mmdebstrap's own default serves."""
    uris: list[str] = []
    folder = etc / "sources.list.d"
    files = [etc / "sources.list", *(sorted(folder.iterdir()) if folder.is_dir() else [])]
    for file in files:
        if not file.is_file():
            continue
        if file.suffix == ".sources":
            uris += deb822_uris(file.read_text())
        elif file.suffix == ".list":
            uris += one_line_uris(file.read_text())
    return choose(uris)
