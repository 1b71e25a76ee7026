"""Forms that a setting's text must have, as types: each says what is wrong in words that an operator can act on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from signupflow.images import Reference

SLUG = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?$")
MAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
VARIABLE = re.compile(r"^[A-Z][A-Z0-9_]*$")

# What this repository ships as an example, or what somebody types to get going; RFC 2606 reserves the domains.
PLACEHOLDER = re.compile(
    r"(^|[@.])example\.(com|net|org)$|(^|[^a-z])(changeme|change-me|placeholder|your-)|[<>]|(example){2}", re.IGNORECASE
)


class Topic(BaseModel):
    """Some of an environment's settings. The first line of its docstring heads them in ENVIRONMENT_CONFIG.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def form(pattern: str | re.Pattern[str], otherwise: str) -> AfterValidator:
    """Text that matches. `otherwise` says what is wrong; `{}` in it stands for what was given."""
    wanted = re.compile(pattern)

    def check(value: str) -> str:
        if not wanted.fullmatch(value):
            raise ValueError(otherwise.format(repr(value)))
        return value

    return AfterValidator(check)


def _unless_empty(check: Callable[[str], Any]) -> AfterValidator:
    """Nothing, or text that `check` does not refuse."""

    def checked(value: str) -> str:
        if value:
            check(value)
        return value

    return AfterValidator(checked)


def _real(value: Any) -> Any:
    for text in value if isinstance(value, tuple) else (value,):
        if PLACEHOLDER.search(text) or "0" * 64 in text:
            raise ValueError(f"still holds the placeholder {text[:60]!r}; replace it")
    return value


def _file(path: str) -> None:
    if not Path(path).is_file():
        raise ValueError(f"no such file on this machine: {path}")


def _ipv4(text: str) -> None:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def _address(text: str) -> None:
    if not MAIL.fullmatch(text):
        raise ValueError(f"{text!r} is not a mail address")


def _addresses(found: tuple[str, ...]) -> tuple[str, ...]:
    for text in found:
        _address(text)
    return found


def _image(text: str) -> str:
    Reference.parse(text)
    return text


def _variable(text: str) -> None:
    if not VARIABLE.fullmatch(text):
        raise ValueError(f"{text!r} is not an environment variable in capitals")


def _variables(found: dict[str, str]) -> dict[str, str]:
    for name in found:
        _variable(name)
    return found


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of text")
    return text


def bare(annotation: Any) -> Any:
    """A type without what `Annotated` says of it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


REAL = AfterValidator(_real)
"""Not what the shipped examples hold."""
MERGED = "merged by key over the levels at which it is given"
"""Marks a setting whose keys add to those of group_data/all.py; all others replace what an earlier level says."""
Verbatim = Annotated[str, StringConstraints(strip_whitespace=False)]
"""As it is written, blanks at its ends included; other text loses those, which no name or address has."""
Command = tuple[Verbatim, ...]
Slug = Annotated[str, form(SLUG, "must start with a letter and hold lower-case letters, digits and dashes only, 31 at most")]
Size = Annotated[str, form(r"^[1-9][0-9]*[kmg]$", "must be a size such as 384m or 2g")]
UrlPath = Annotated[str, form(r"^(/[A-Za-z0-9/_.-]*)?$", "must be a path that starts with a slash")]
HostName = Annotated[str, form(r"^[A-Za-z0-9@/._-]*$", "{} is not a host's name or address")]
Image = Annotated[str, AfterValidator(_image)]
OneLine = Annotated[Verbatim, AfterValidator(_one_line)]
ReadableFile = Annotated[str, _unless_empty(_file)]
Ipv4 = Annotated[str, _unless_empty(_ipv4)]
MailAddress = Annotated[str, _unless_empty(_address)]
MailAddresses = Annotated[tuple[str, ...], AfterValidator(_addresses)]
Variable = Annotated[str, _unless_empty(_variable)]
Variables = Annotated[dict[str, Verbatim], AfterValidator(_variables), MERGED]
