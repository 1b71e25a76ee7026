"""Names of hosts and groups that somebody typed: in --limit, and in the inventory's own lists. What names nothing is refused."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from signupflow.errors import OperatorError

ROLES = ("edge", "app", "db")


def split(patterns: Sequence[str]) -> tuple[str, ...]:
    """`a,b` is `a` and `b`: no host's and no group's name holds a comma."""
    return tuple(part.strip() for text in patterns for part in text.split(",") if part.strip())


def limited(patterns: Sequence[str], groups: Mapping[str, Collection[str]], where: str) -> list[str]:
    """Hosts that --limit leaves, in the inventory's order; all without one. `groups` is each host's groups.

    A pattern is a group, a host or a glob such as web*. One that matches nothing is refused, whatever the others match.
    """
    for pattern in patterns:
        if not any(_matches(pattern, name, of) for name, of in groups.items()):
            known = sorted({*groups, *(group for of in groups.values() for group in of)})
            raise OperatorError(
                f"--limit {pattern} is no host and no group of {where}{_meant(pattern, known)}; it has {_list(groups)}"
            )
    return [name for name, of in groups.items() if not patterns or any(_matches(pattern, name, of) for pattern in patterns)]


def check_listed(groups: Mapping[str, Collection[str]], described: Collection[str], where: str) -> None:
    """Refuse a host that only a role's list names: a misspelt name makes a host of which nothing is known.

    `described` are the hosts of which the inventory says something by themselves.
    """
    members: dict[str, list[str]] = {}
    for name, of in groups.items():
        for group in dict.fromkeys(of):
            members.setdefault(group, []).append(name)
    # Groups that pyinfra makes list nobody in particular: of every host by the file's name, of a connector's hosts by its own.
    made = {*ROLES, *(group for group, names in members.items() if len(names) == len(groups) or group.startswith("@"))}
    listing = {group: names for group, names in members.items() if group not in made}
    listed = {name for names in listing.values() for name in names}
    for role in ROLES:
        for name in members.get(role, ()):
            if listed and name not in listed and name not in described:
                raise OperatorError(
                    f"{where}: {role} names {name}, which no other group lists{_meant(name, sorted(listed))}; "
                    f"{'; '.join(f'{group} has {_list(names)}' for group, names in sorted(listing.items()))}"
                )


def _matches(pattern: str, name: str, groups: Collection[str]) -> bool:
    return pattern in groups or fnmatchcase(name, pattern)


def _meant(typed: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(typed, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _list(names: Collection[str]) -> str:
    return ", ".join(names)
