"""The fenced blocks of the guides, and what each is: by the words after the fence's language, which no reader sees.

`sh on=controller|db|edge|app` is executed by `make docs-test`; `sh not-run="why"` is not, and says why; `console` is a
transcript, `text` a picture or an output; `python settings` is an excerpt of group data.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.client import ROOT

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
LANGUAGES = {"sh", "console", "text", "python", "toml"}
PLACES = {"controller", "db", "edge", "app"}


@dataclass(frozen=True)
class Block:
    """One block: where it stands, what it is, and what it holds."""

    path: Path
    line: int
    language: str
    words: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    body: str

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def on(self) -> str:
        """Where it runs; empty when it does not."""
        return dict(self.options).get("on", "")

    @property
    def why_not(self) -> str:
        return dict(self.options).get("not-run", "")


def files() -> list[Path]:
    """Every guide: what somebody follows."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/*/*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language, *rest = shlex.split(found["info"]) or [""]
        options = tuple((name, value) for name, mark, value in (word.partition("=") for word in rest) if mark)
        words = tuple(word for word in rest if "=" not in word)
        yield Block(path, text.count("\n", 0, found.start()) + 1, language, words, options, found["body"])
