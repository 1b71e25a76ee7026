"""Divided by where code runs: what `lint-imports` cannot see. Its contracts are in pyproject.toml."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp
import pytest

from lab.client import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PYPROJECT["tool"]["importlinter"]["root_packages"]
# Folders of Python that is no package, and what of the project each may import.
LOOSE: Mapping[str, set[str]] = {
    "alembic": {"app"},
    "group_data": set(),
    "scripts": {"here", "tests", "app", "signupflow", "pipeline", "sqlite_import"},
}
# On their way out: the redesign of the executor unties these three.
TIED = {"operations.release", "operations.replicas", "operations.turn"}


def imported(path: Path) -> set[str]:
    """First names of the modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def rings(edges: Mapping[str, set[str]]) -> list[set[str]]:
    """Modules that import each other, directly or by way of others (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> Iterator[str]:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(edges.get(module, ())):
            if other not in number:
                yield other
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            ring = set(stack[stack.index(module) :])
            del stack[stack.index(module) :]
            if len(ring) > 1:
                found.append(ring)

    for start in sorted(edges):
        if start in number:
            continue
        work = [visit(start)]
        while work:
            following = next(work[-1], None)
            if following is None:
                work.pop()
            else:
                work.append(visit(following))
    return found


def test_rings_are_found() -> None:
    assert rings({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"e"}}) == [{"a", "b", "c"}]
    assert rings({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_two_files_import_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports for type checkers only count as well."""
    monkeypatch.syspath_prepend(str(ROOT))
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    edges = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert [ring for ring in rings(edges) if ring != TIED] == []


@pytest.mark.parametrize("folder", LOOSE)
def test_what_is_no_package_imports_what_it_may(folder: str) -> None:
    own = {path.name for path in ROOT.iterdir()} | {path.stem for path in ROOT.glob("*.py")}
    for path in (ROOT / folder).rglob("*.py"):
        # alembic/ is named as the library that runs it.
        assert imported(path) & own - {"alembic"} <= LOOSE[folder], path


def test_every_folder_of_python_is_under_a_contract() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in map(Path, tracked("*.py")) if path.parent != ROOT}
    assert folders - set(PACKAGES) == {*LOOSE, "security"} & folders


def test_the_ops_image_holds_what_backup_imports() -> None:
    dockerfile, ignored = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text().splitlines()
    ops = dockerfile.partition(" AS ops\n")[2].partition("\nFROM ")[0]
    copied = re.findall(r"^COPY (signupflow/\S+|backup) ", ops, re.MULTILINE)
    assert copied == ["signupflow/__init__.py", "signupflow/shared", "backup"]
    assert {f"!{name}" for name in copied} <= set(ignored)


def test_the_operators_program_starts_without_what_runs_elsewhere() -> None:
    """`signupflow --help` on a machine that has neither the lab nor the app nor pyinfra's own code loaded."""
    code = "import sys; from signupflow import cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {
        "pyinfra",
        "gevent",
        "boto3",
        "backup",
        "sqlite_import",
        "pipeline",
        "app",
        "lab",
        "tests",
    }


def tracked(pattern: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "--full-name", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [str(ROOT / line) for line in done.stdout.splitlines()]
