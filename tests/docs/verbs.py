"""A page for each verb: which pages there must be, which options each names, and where real output stands in them.

<!-- output: NAME -->      the block after it holds what a lab printed, put there by `python -m tests.docs.session`
<!-- options: VERB -->     the table after it is made from `--help`, by `python -m tests.docs.verbs`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from lab.client import ROOT
from signupflow.cli import SECTIONS, main

FOLDER = ROOT / "docs" / "verbs"
INDEX = FOLDER / "README.md"
OUTPUT = re.compile(r"(?P<mark><!-- output: (?P<name>[\w-]+) -->\n)(?P<block>```console\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"(?P<mark><!-- options: (?P<name>[\w -]+) -->\n)(?P<block>(?:\|.*\n)*)", re.MULTILINE)
VERBS = re.compile(r"(?P<mark><!-- verbs -->\n)(?P<block>(?:\|.*\n)*)", re.MULTILINE)


def page(verb: str) -> Path:
    return FOLDER / f"{verb}.md"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every verb, and each command of those that are groups: (`rotate jwt`, its command)."""
    for verb, command in sorted(main.commands.items()):
        if isinstance(command, click.Group):
            yield from ((f"{verb} {name}", inner) for name, inner in sorted(command.commands.items()))
        else:
            yield verb, command


def table(command: click.Command) -> str:
    """What a command takes, as `--help` has it."""
    rows = []
    with click.Context(command) as context:
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record and "--help" not in parameter.opts:
                names = record[0].replace("|", "\\|")
                rows.append(f"| `{names}` | {' '.join(record[1].split())} |\n")
        usage = " ".join(command.collect_usage_pieces(context)).replace("|", "\\|")
    return "".join(["| Option | |\n", "|---|---|\n", *rows]) if rows else f"| Arguments |\n|---|\n| `{usage}` |\n"


def made() -> dict[str, str]:
    """Option tables by the name after `options:`."""
    return {name: table(command) for name, command in commands()}


def index() -> str:
    """The table of verbs: what each does, in the first sentence of its help."""
    rows = []
    for title, names in SECTIONS.items():
        for number, verb in enumerate(names):
            said = " ".join((main.commands[verb].help or "").split("\n\n")[0].split())
            rows.append(f"| {title if not number else ''} | [{verb}]({verb}.md) | {said} |\n")
    return "".join(["| | Verb | |\n", "|---|---|---|\n", *rows])


def filled(text: str, pattern: re.Pattern[str], block: Callable[[str], str | None]) -> str:
    """Each marked block replaced; one whose `block` is None stays."""

    def one(found: re.Match[str]) -> str:
        new = block(found["name"] if "name" in found.groupdict() else "")
        return found[0] if new is None else found["mark"] + new

    return pattern.sub(one, text)


def marked(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Name to the blocks that stand after its marks, of all pages."""
    found: dict[str, list[str]] = {}
    for path in sorted(FOLDER.glob("*.md")):
        for match in pattern.finditer(path.read_text()):
            found.setdefault(match["name"], []).append(match["block"] or "")
    return found


def write_outputs(outputs: Mapping[str, str]) -> None:
    for path in sorted(FOLDER.glob("*.md")):
        text = path.read_text()
        path.write_text(
            filled(text, OUTPUT, lambda name: f"```console\n{outputs[name].rstrip()}\n```\n" if name in outputs else None)
        )


def write_tables() -> None:
    tables = made()
    for path in sorted(FOLDER.glob("*.md")):
        path.write_text(filled(path.read_text(), OPTIONS, tables.get))
    INDEX.write_text(filled(INDEX.read_text(), VERBS, lambda _: index()))


if __name__ == "__main__":
    write_tables()
