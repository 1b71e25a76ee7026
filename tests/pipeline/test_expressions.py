"""Expressions of workflow files mean here what they mean on GitHub; what is not known here is an error."""

from __future__ import annotations

from typing import Any

import pytest

from lab.github.expressions import ExpressionError, evaluated, filled

CONTEXTS = {
    "github": {"sha": "abc", "event": {"workflow_run": {"conclusion": "success"}}},
    "inputs": {"version": "", "dry": False, "count": 3},
    "needs": {"image": {"outputs": {"digest": "sha256:1"}, "result": "success"}},
}
FUNCTIONS = {"success": lambda: True, "failure": lambda: False, "always": lambda: True, "format": str.format}


@pytest.mark.parametrize(
    ("expression", "value"),
    {
        "github.sha": "abc",
        "needs.image.outputs.digest": "sha256:1",
        "needs.other.outputs.digest": None,
        "inputs.version || github.sha": "abc",
        "inputs.count && 'some'": "some",
        "inputs.dry == false": True,
        "github.event.workflow_run.conclusion == 'SUCCESS'": True,
        "'it''s'": "it's",
        "!inputs.dry && (failure() || always())": True,
        "success() && inputs.count != 3": False,
        "format('{0}-{1}', github.sha, 2)": "abc-2",
    }.items(),
)
def test_us3_1_an_expression_has_github_s_value(expression: str, value: Any) -> None:
    assert evaluated(expression, CONTEXTS, FUNCTIONS) == value


def test_us3_1_a_text_is_filled_and_a_lone_expression_keeps_its_type() -> None:
    assert filled("at ${{ github.sha }}, dry ${{ inputs.dry }}${{ inputs.none }}", CONTEXTS, FUNCTIONS) == "at abc, dry false"
    assert filled("${{ inputs.dry }}", CONTEXTS, FUNCTIONS) is False
    assert filled(3, CONTEXTS, FUNCTIONS) == 3


@pytest.mark.parametrize("expression", ["secrets.X", "hashFiles('x')", "'a' ==", "(1", "a[0]", "success() success()", "&& 1"])
def test_us3_1_what_is_not_known_here_is_an_error(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluated(expression, CONTEXTS, FUNCTIONS)
