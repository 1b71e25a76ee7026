"""What guides name is there: sections, files, verbs with their options, targets of make, lines of evidence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from backup.command import main as backup
from backup.restore_command import main as restore
from lab.client import ROOT
from signupflow.cli import main
from tests.docs.guides import files
from tests.evidence.promises import BY_LINE

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<title>.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
# A path of the repository begins with a folder of it; what has a pattern or a placeholder is none.
PATH = re.compile(
    rf"^(?:{'|'.join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != '.'))})/[\w./-]+$"
)
PROGRAMS: dict[str, click.Command] = {"signupflow": main, "signupflow-backup": backup, "signupflow-restore": restore}
BEFORE = ("sudo",)
# The environments' own settings: those that a guide names are its reader's.
READERS = "group_data/"
GUIDES = [path for path in files() if path.name != "EVIDENCE.md"]
# A record of a decision names what was there when it was taken.
PRESENT = [path for path in GUIDES if path.parent.name != "adr"]


def slugs(text: str) -> set[str]:
    """Anchors of a page, as GitHub makes them of its headings."""
    found: dict[str, int] = {}
    made = set()
    for heading in HEADING.finditer(FENCED.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"]).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        made.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return made


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_c6_a_section_or_file_that_a_guide_links_is_there(guide: Path) -> None:
    wrong = []
    for link in LINK.finditer(FENCED.sub("", guide.read_text())):
        if re.match(r"[a-z]+:", link["target"]):
            continue
        name, _, anchor = link["target"].partition("#")
        page = (guide.parent / name).resolve() if name else guide
        if not page.exists() or (anchor and page.suffix == ".md" and anchor not in slugs(page.read_text())):
            wrong.append(link[0])
    assert wrong == []


@pytest.mark.parametrize("guide", PRESENT, ids=lambda path: str(path.relative_to(ROOT)))
def test_c6_what_a_guide_says_to_type_and_to_read_is_there(guide: Path) -> None:
    text = guide.read_text()
    paths = [word for word in CODE.findall(FENCED.sub("", text)) if PATH.match(word) and not word.startswith(READERS)]
    wrong = [f"no {path}" for path in paths if not (ROOT / path).exists()]
    for words in typed(text):
        wrong += problems(words)
    assert wrong == []


def typed(text: str) -> Iterator[list[str]]:
    """Commands of ours: in blocks of commands, and in sentences."""
    lines = list(CODE.findall(FENCED.sub("", text)))
    for block in FENCED.findall(text):
        inside = block.replace("\\\n", " ").splitlines()[1:-1]
        lines += inside if block.startswith("```sh") else [line[2:] for line in inside if line.startswith("$ ")]
    for line in lines:
        for command in re.split(r"&&|;|\|", line):
            try:
                words = shlex.split(command, comments=True)
            except ValueError:  # a part of something quoted
                continue
            while words[:1] and words[0] in BEFORE:
                words.pop(0)
            if words[:1] and words[0] in (*PROGRAMS, "make"):
                yield words


def problems(words: list[str]) -> list[str]:
    return list(of_make(words[1:]) if words[0] == "make" else of_program(words))


def of_make(words: list[str]) -> Iterator[str]:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in words:
        name, mark, value = word.partition("=")
        if not mark and name not in targets and not name.startswith("-"):
            yield f"no target {name} of make"
        if name == "LINE":
            yield from (f"no line {line}" for line in value.split() if line not in BY_LINE and line.isascii() and line.islower())


def of_program(words: list[str]) -> Iterator[str]:
    command, options = PROGRAMS[words[0]], {"--help", "-h", "--"}
    for word in words[1:]:
        if word.startswith("-") or not isinstance(command, click.Group):
            continue
        if word.isupper() or word == "...":  # a placeholder
            return
        nested = command.commands.get(word)
        if nested is None and not command.invoke_without_command:
            yield f"no verb {word}: {shlex.join(words)}"
            return
        if nested is not None:
            options |= flags(command)
            # What `signupflow backup` does not take is the host's program's.
            command = PROGRAMS.get(f"signupflow-{word}", nested)
            options |= flags(nested)
    options |= flags(command)
    for word in words[1:]:
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in options:
            yield f"no option {flag}: {shlex.join(words)}"


def flags(command: click.Command) -> set[str]:
    return {flag for each in command.params if isinstance(each, click.Option) for flag in (*each.opts, *each.secondary_opts)}


def test_c6_what_is_not_there_is_found() -> None:
    for words in (
        "signupflow deploy --frob",
        "signupflow rotate nothing",
        "signupflow-backup frob",
        "make frob",
        "make prove LINE=frob",
    ):
        assert problems(words.split()), words
    for words in (
        "signupflow -i FILE status --json",
        "signupflow restore --dry-run",
        "signupflow-backup list --json",
        "make prove LINE=page",
    ):
        assert problems(words.split()) == [], words
