"""The one exception an operator is meant to read."""

from __future__ import annotations


class OperatorError(Exception):
    """Something the operator can mend; its text is what, where and what to do, first line first."""
