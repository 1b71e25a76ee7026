"""Every line of docs/SPECIFICATION.md is tested by `make test`, or says why not; every ID in a test's name is a line there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.evidence import specification
from tests.evidence.promises import BY_LINE
from tests.evidence.specification import MEASURED

LINES = specification.lines()
TESTS = specification.tests()
UNPROVEN = re.compile(r"\*not (built yet|exercised)\*")
STORIES = [name for name in LINES if name.startswith(("US", "EC"))]


def test_the_specification_has_its_lines() -> None:
    """33 scenarios, 7 edge cases, 31 functions, 12 criteria, 7 of security: a line that its pattern misses would be nobody's."""
    kinds = [re.match(r"[A-Z]+", name) for name in LINES]
    counted = {kind: sum(found is not None and found[0] == kind for found in kinds) for kind in ("US", "EC", "FR", "SC", "SEC")}
    assert counted == {"US": 33, "EC": 7, "FR": 31, "SC": 12, "SEC": 7}


@pytest.mark.parametrize("identifier", LINES)
def test_a_line_of_the_specification_is_tested_or_says_why_not(identifier: str) -> None:
    """By `make test`, and by something that can fail: a name alone proves nothing."""
    said = LINES[identifier]
    if measured := MEASURED.search(said):
        assert measured["line"] in BY_LINE
    elif not UNPROVEN.search(said):
        found = [test for test in TESTS if test.in_make_test and test.can_fail and identifier in test.identifiers]
        assert found, f"no test of `make test` proves {identifier}; write one, or say in docs/SPECIFICATION.md why there is none"


@pytest.mark.parametrize("identifier", STORIES)
def test_a_story_has_a_test_on_real_hosts(identifier: str) -> None:
    """In `make test`, in `make test-long` or as a promise."""
    found = [test for test in TESTS if "lab" in test.marks and test.can_fail and identifier in test.identifiers]
    assert found or UNPROVEN.search(LINES[identifier]), f"{identifier} is a story: it needs a test marked lab"


def test_an_identifier_in_a_tests_name_is_a_line_of_the_specification() -> None:
    unknown = [f"{test.path.name}: {test.name}" for test in TESTS if set(test.identifiers) - set(LINES)]
    assert not unknown, "named after a line that docs/SPECIFICATION.md does not have"


@pytest.mark.parametrize(
    ("body", "can_fail"),
    [
        ("pass", False),
        ('"""It works."""', False),
        ("assert 1 == 2", True),
        ("operating.restarted(lab)", True),
        ("with pytest.raises(ValueError):\n        int('x')", True),
    ],
)
def test_a_name_alone_proves_nothing(tmp_path: Path, body: str, can_fail: bool) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(f"import pytest\npytestmark = pytest.mark.lab\n\n@pytest.mark.long\ndef test_us1_1_ec5_it():\n    {body}\n")
    (found,) = specification._of(path)
    assert (found.can_fail, found.marks, found.identifiers) == (can_fail, frozenset({"lab", "long"}), ["US1.1", "EC5"])


def test_the_table_of_tests_is_made_from_their_names() -> None:
    assert specification.current(), "docs/SPECIFICATION.md: run `make evidence`"
