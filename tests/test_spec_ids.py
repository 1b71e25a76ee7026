"""Every line of the specification that is claimed so far has a test named after it."""

from __future__ import annotations

import ast
import functools
import re

import pytest

from lab.client import ROOT

# The IDs that parts 1 to 6 prove.
CLAIMED = [
    *("US1.1", "US1.4", "US4.1", "US4.2", "US4.4", "US7.1", "US7.2"),
    *("FR-001", "FR-002", "FR-003", "FR-004", "FR-014", "FR-016", "FR-017", "FR-018"),
    *("FR-028", "FR-029", "FR-030", "FR-031", "SEC-001", "SEC-002"),
    *("US1.2", "US1.3", "US8.1", "US8.3", "US8.4", "FR-005", "FR-006", "FR-019", "FR-021"),
    *("FR-024", "FR-025", "FR-026", "FR-027", "SEC-005", "SEC-007", "SC-008"),
    *("US2.3", "US2.4", "US3.5", "US5.1", "US5.2", "US5.3", "US5.4", "EC1", "EC2", "EC5"),
    *("FR-011", "FR-012", "FR-013", "SC-004", "SC-009"),
    *("US2.1", "US6.1", "US6.2", "US6.3", "US6.4", "EC4", "EC6", "FR-007", "FR-008", "SC-005", "SEC-003"),
    # SC-001 and SC-006 are times, which no test asserts: `make prove` measures them.
    *("US3.1", "US3.2", "US3.3", "US3.4", "US8.2", "FR-009", "FR-010", "SC-002", "SEC-004", "SEC-006"),
]


def named_after(identifier: str) -> str:
    """`US1.1` is `us1_1` in a test's name, `FR-001` is `fr001`."""
    return identifier.lower().replace(".", "_").replace("-", "")


@functools.cache
def all_names() -> list[str]:
    """Of every test that `make test` runs: the long ones do not count."""
    names = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = {ast.unparse(mark) for mark in node.decorator_list}
                if "pytest.mark.long" not in marks:
                    names.append(node.name)
    return names


@pytest.mark.parametrize("identifier", CLAIMED)
def test_a_claimed_line_of_the_specification_has_a_test(identifier: str) -> None:
    wanted = re.compile(rf"_{named_after(identifier)}(_|$)")
    assert [name for name in all_names() if wanted.search(name)], f"no test is named after {identifier}"
