"""What a dry run said, host by host, as a file that can be compared with another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from signupflow.errors import OperatorError

FORMAT = 2
# Variables by which a run is told where to write what it is made from, and where that of the plan is which it applies.
INPUTS, PLANNED = "SIGNUPFLOW_INPUTS", "SIGNUPFLOW_PLANNED_INPUTS"
# Lines of a host begin with its name; what belongs to none (the release's steps, the table of changes) is kept under this.
EVERYBODY = "the release"
LINE = re.compile(r"^ *\[(?P<host>[^\]]+)\] ?(?P<text>.*)$")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What pyinfra tells of itself on the way.
NOISE = re.compile(r"^(-->.*(config|inventory|Connecting|Disconnecting|Preparing).*|.*\bConnected\b.*|.*Ready: .*|\s*)$")


@dataclass(frozen=True)
class Plan:
    """`made` is UTC in ISO 8601; `command` pyinfra's without --dry; `sources` file to SHA-256; `hosts` host to its lines.

    `inputs` are the settings, secrets, images and files that it is made from: name to digest (deploys/inputs.py).
    """

    made: str
    by: str
    command: tuple[str, ...]
    sources: Mapping[str, str]
    inputs: Mapping[str, str]
    hosts: Mapping[str, tuple[str, ...]]
    text: str

    def as_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, path: str) -> Plan:
        """Raises OperatorError for what is no plan of this format."""
        try:
            found = json.loads(text)
            if found.pop("format") != FORMAT:
                raise OperatorError(f"{path} is a plan of another version of this program; plan again")
            hosts = {name: tuple(lines) for name, lines in found.pop("hosts").items()}
            return cls(**{**found, "command": tuple(found["command"])}, hosts=hosts)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise OperatorError(f"{path} is no plan: name a file that `signupflow plan` wrote (plan.json by default)") from None


def read(text: str) -> dict[str, tuple[str, ...]]:
    """Host to its lines, in their order; lines of different hosts are mixed in any order in what pyinfra prints."""
    found: dict[str, list[str]] = {}
    for raw in text.splitlines():
        line = ANSI.sub("", raw).rstrip()
        if NOISE.match(line):
            continue
        match = LINE.match(line)
        found.setdefault(match["host"] if match else EVERYBODY, []).append(match["text"] if match else line)
    return {name: tuple(lines) for name, lines in sorted(found.items())}


def changed_inputs(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of inputs that differ, are new, or are gone; settings of all hosts alike are many, so what is one comes first."""
    names = [name for name in {*before, *now} if before.get(name) != now.get(name)]
    return sorted(names, key=lambda name: (" of " in name, name))


def announced(dry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Operation and host of each change that `pyinfra --dry --json` listed."""
    keys = ("hosts_with_change", "hosts_with_conditional_change")
    return [(row["name"], host) for row in dry["plan"] for key in keys for host in row[key]]


def changed_hosts(before: Mapping[str, tuple[str, ...]], now: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names whose lines differ. What belongs to no host follows from the hosts', and is named only when none differs."""
    names = sorted(name for name in {*before, *now} if before.get(name, ()) != now.get(name, ()))
    hosts = [name for name in names if name != EVERYBODY]
    return hosts or names
