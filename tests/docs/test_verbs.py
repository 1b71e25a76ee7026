"""A page for each verb, each option on it, and real output in the place of every mark."""

from __future__ import annotations

import re

import pytest

from lab.client import ROOT
from signupflow.cli import main
from tests.docs import session, verbs

TABLES = verbs.made()
SHOWN = re.compile(r"```console\n\$ signupflow ")
# Marks that no session has filled yet. The next one fills all, and this becomes empty.
NOT_YET = {"console"}


def test_every_verb_has_a_page_and_every_page_a_verb() -> None:
    pages = {path.stem for path in verbs.FOLDER.glob("*.md")} - {"README"}
    assert pages == set(main.commands)
    listed = re.findall(r"^\|[^|]*\| \[(\w[\w-]*)\]", verbs.INDEX.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("name", TABLES)
def test_a_page_names_every_option_as_help_has_it(name: str) -> None:
    page = verbs.page(name.partition(" ")[0])
    blocks = [match["block"] for match in verbs.OPTIONS.finditer(page.read_text()) if match["name"] == name]
    assert blocks == [TABLES[name]], f"python -m tests.docs.verbs, then look at {page.relative_to(ROOT)}"


def test_options_of_a_command_that_is_not_there_are_on_no_page() -> None:
    assert set(verbs.marked(verbs.OPTIONS)) == set(TABLES)


def test_every_page_says_when_what_it_prints_and_what_to_be_careful_with() -> None:
    for verb in main.commands:
        text = verbs.page(verb).read_text()
        for heading in ("## When", "## What it prints", "## Options", "## Careful"):
            assert f"\n{heading}\n" in text, f"{verb}: {heading}"


def test_real_output_stands_at_every_mark_and_the_session_types_each() -> None:
    typed = set(re.findall(r'(?:type_|session\.interrupt)\("([\w-]+)"', (ROOT / "tests/docs/session.py").read_text()))
    assert callable(session.everything)
    for name in verbs.marked(verbs.OUTPUT):
        assert name in typed, f"nobody types {name}: tests/docs/session.py"
    empty = {name for name, blocks in verbs.marked(verbs.OUTPUT).items() if not all(SHOWN.match(block) for block in blocks)}
    assert empty == NOT_YET, "python -m tests.docs.session types them; then empty NOT_YET"


def test_no_name_of_this_machine_s_lab_is_on_a_page() -> None:
    for path in verbs.FOLDER.glob("*.md"):
        found = re.findall(r"\S*(?:\.lab/|/work/|h1\.[a-z]+\.test|10\.\d+\.\d+\.\d+)\S*", path.read_text())
        assert not found, f"{path.name}: {found[:3]}"


def test_pictures_load_nothing_and_show_what_the_pages_do() -> None:
    for name, (output, _) in session.PICTURES.items():
        picture = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text()
        assert not re.findall(r"(?:href|src|url)\s*[=(]\s*[\"']?https?:", picture)
        assert f"signupflow {output}" in picture.replace("&#160;", " ")
