"""docs/SPECIFICATION.md: the lines that are promised, and the table of the tests that are named after each."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.evidence.record import ROOT

PAGE = ROOT / "docs" / "SPECIFICATION.md"
TESTS = ROOT / "tests"
# A line of the specification begins with its ID, in bold: `- **US1.1** ...`.
LINE = re.compile(r"^- \*\*(?P<id>[A-Z]+-?[0-9.]+)\*\*(?P<text>.*(?:\n  .*)*)", re.MULTILINE)
NOT_BUILT = "*not built yet*"
MEASURED = re.compile(r"\*measured by `make prove LINE=(?P<line>[a-z-]+)`\*")
NAMED = re.compile(r"(?:^|_)(us\d+_\d+|ec\d+|(?:fr|sc|sec)\d{3})(?=_|$)")
HEADING = "## Where each line is tested\n"
TABLE = (
    HEADING
    + "\n<!-- Made by `make evidence` from the names of the tests. Do not edit below. -->\n"
    + "What was measured by those that have a figure is in [EVIDENCE](EVIDENCE.md).\n\n"
    + "| Line | Tests, by file |\n|---|---|\n"
)


@dataclass(frozen=True)
class NamedTest:
    """A test function of the repository, and the marks of it and of its file."""

    path: Path
    name: str
    marks: frozenset[str]
    # An assertion, an expected exception, or something of the repository that is called and raises.
    can_fail: bool

    @property
    def identifiers(self) -> list[str]:
        return [identifier(found) for found in NAMED.findall(self.name)]

    @property
    def in_make_test(self) -> bool:
        return not self.marks & {"long", "full", "skip", "xfail"}


def identifier(name: str) -> str:
    """`us1_1` is US1.1, `fr001` FR-001, `ec5` EC5."""
    if name.startswith("us"):
        return name.upper().replace("_", ".")
    return name.upper() if name.startswith("ec") else re.sub(r"^([a-z]+)", lambda found: f"{found[1].upper()}-", name)


def lines() -> dict[str, str]:
    """ID to its text, in the order of the document."""
    return {found["id"]: found["text"].strip() for found in LINE.finditer(PAGE.read_text(encoding="utf-8"))}


def tests() -> list[NamedTest]:
    return [test for path in sorted(TESTS.rglob("test_*.py")) for test in _of(path)]


def _of(path: Path) -> list[NamedTest]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = _marks(
        [node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"]
    )
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            found.append(NamedTest(path, node.name, frozenset(own | _marks(node.decorator_list)), _can_fail(node)))
    return found


def _marks(nodes: list[ast.expr]) -> set[str]:
    # Marks of single cases (`pytest.param(..., marks=...)`) are not the test's.
    return {found for node in nodes for found in re.findall(r"(?<!marks=)pytest\.mark\.(\w+)", ast.unparse(node))}


def _can_fail(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A body of nothing but its docstring, `pass` or literals proves nothing, whatever its name."""
    return any(isinstance(node, ast.Assert | ast.Call) for statement in test.body for node in ast.walk(statement))


def by_line() -> dict[str, list[NamedTest]]:
    """ID to the tests that are named after it."""
    found: dict[str, list[NamedTest]] = defaultdict(list)
    for test in tests():
        for name in test.identifiers:
            found[name].append(test)
    return found


def text() -> str:
    """The document with its table made anew."""
    head = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    return head + TABLE + "".join(f"| {name} | {_links(found, said)} |\n" for name, found, said in _rows())


def _rows() -> list[tuple[str, list[NamedTest], str]]:
    found = by_line()
    return [(name, found.get(name, []), said) for name, said in lines().items()]


def _links(found: list[NamedTest], said: str) -> str:
    files = sorted({test.path for test in found})
    links = [f"[{path.relative_to(TESTS).with_suffix('')}]({Path('..') / path.relative_to(ROOT)})" for path in files]
    if measured := MEASURED.search(said):
        links.append(f"[{measured['line']}](evidence/{measured['line']}.json)")
    if NOT_BUILT in said:
        links.append("not built yet")
    return ", ".join(links)


def current() -> bool:
    return PAGE.read_text(encoding="utf-8") == text()
