"""The expressions of workflow files: contexts, literals, `== != && || !`, parentheses and the status functions.

What GitHub documents as "Evaluate expressions in workflows and actions", as far as the workflows here use it; anything else is an
error and not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?P<sign>==|!=|&&|\|\||[!(),]))"
)
CONSTANTS = {"true": True, "false": False, "null": None}

Functions = Mapping[str, Callable[..., Any]]


class ExpressionError(ValueError):
    """An expression that is not understood here."""


def filled(text: Any, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """A value with its `${{ }}` replaced; one that is nothing but an expression keeps its type."""
    if not isinstance(text, str):
        return text
    if (whole := EMBEDDED.fullmatch(text.strip())) and "${{" not in whole[1]:
        return evaluated(whole[1], contexts, functions)
    return EMBEDDED.sub(lambda found: as_text(evaluated(found[1], contexts, functions)), text)


def evaluated(expression: str, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """The value of one expression, without its braces."""
    return _Parser(expression, contexts, functions).whole()


def as_text(value: Any) -> str:
    """How GitHub writes a value into a text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def truthy(value: Any) -> bool:
    return value not in (None, False, "", 0)


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    while expression[at:].strip():
        match = TOKEN.match(expression, at)
        if not match or not match.lastgroup:
            raise ExpressionError(f"not understood: {expression[at:].strip()!r} in {expression.strip()!r}")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


class _Parser:
    """Recursive descent, from `||` down to a single value."""

    def __init__(self, expression: str, contexts: Mapping[str, Any], functions: Functions) -> None:
        self._expression, self._contexts, self._functions = expression, contexts, functions
        self._left = list(_tokens(expression))

    def whole(self) -> Any:
        value = self._either()
        if self._left:
            raise ExpressionError(f"not understood after {self._left[0][1]!r} in {self._expression.strip()!r}")
        return value

    def _sign(self, *signs: str) -> str:
        if self._left and self._left[0][0] == "sign" and self._left[0][1] in signs:
            return self._left.pop(0)[1]
        return ""

    def _either(self) -> Any:
        value = self._both()
        while self._sign("||"):
            other = self._both()
            value = value if truthy(value) else other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._sign("&&"):
            other = self._compared()
            value = other if truthy(value) else value
        return value

    def _compared(self) -> Any:
        value = self._single()
        while sign := self._sign("==", "!="):
            other = self._single()
            # Texts are compared without regard to case.
            same = value.lower() == other.lower() if isinstance(value, str) and isinstance(other, str) else value == other
            value = same if sign == "==" else not same
        return value

    def _single(self) -> Any:
        if self._sign("!"):
            return not truthy(self._single())
        if self._sign("("):
            value = self._either()
            self._expect(")")
            return value
        if not self._left:
            raise ExpressionError(f"ends too early: {self._expression.strip()!r}")
        kind, text = self._left.pop(0)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "sign":
            raise ExpressionError(f"{text!r} is not expected in {self._expression.strip()!r}")
        return self._call(text) if self._sign("(") else self._looked_up(text)

    def _call(self, name: str) -> Any:
        if name not in self._functions:
            raise ExpressionError(f"function {name}() is not known here")
        arguments = []
        while not self._sign(")"):
            arguments.append(self._either())
            if not self._sign(","):
                self._expect(")")
                break
        return self._functions[name](*arguments)

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            raise ExpressionError(f"{sign!r} is missing in {self._expression.strip()!r}")

    def _looked_up(self, name: str) -> Any:
        if name in CONSTANTS:
            return CONSTANTS[name]
        first, *rest = name.split(".")
        if first not in self._contexts:
            raise ExpressionError(f"context {first!r} is not known here")
        value: Any = self._contexts[first]
        for part in rest:
            # What is not there is empty, as on GitHub.
            value = value.get(part) if isinstance(value, Mapping) else None
        return value
