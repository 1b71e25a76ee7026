"""The last line of a run: what serves where now, or why not, and what to type next. Data in, one line out."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from signupflow import advice

# More hosts than this are counted, not named.
NAMED = 6
# Each kind of run that ends with a version that serves, in its last line.
DONE = {"restart": "Restarted", "scale": "Scaled", "rollback": "Rolled back", "rotation": "Rotated"}


class Outcome(enum.Enum):
    """How a run ended that releases, restarts, scales or goes back."""

    RELEASED = "released"
    UNCHANGED = "unchanged"
    # Nothing of this run serves anywhere: refused before the first change, or every host was rolled back.
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"
    NOTHING_TO_ABORT = "nothing to abort"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Ending:
    """`serving` is host to the version that serves there now, in the inventory's order: empty for none, `?` when the host could
    not be asked. `finish` and `undo` are commands that are safe to type as they stand; an empty one is left out.
    """

    outcome: Outcome
    serving: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    finish: str = field(default_factory=partial(advice.command, "deploy"))
    undo: str = field(default_factory=partial(advice.command, "abort"))
    # What the run was, as its record says it.
    kind: str = "release"

    @property
    def failed(self) -> bool:
        return self.outcome in (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.INTERRUPTED)

    def line(self) -> str:
        """One line without colours. A failed one begins with its reason, which the caller prefixes with `Error:`."""
        serves = where(self.serving)
        match self.outcome:
            case Outcome.INTERRUPTED if serves and not self.undo:
                return _sentences(f"Interrupted and rolled back: {serves}", self._next())
            case Outcome.INTERRUPTED:
                return _sentences("Interrupted", has(self.serving), self._next())
            case Outcome.ROLLED_BACK:
                return _sentences(self.reason, f"Rolled back: {serves}" if serves else "Rolled back", self._unsettled())
            case Outcome.FAILED:
                return _sentences(self.reason, serves, self._unsettled())
        did = self._did()
        return f"{did}: {serves}." if serves else f"{did}."

    def _did(self) -> str:
        """What went well, in two words."""
        if self.outcome is Outcome.RELEASED:
            return DONE.get(self.kind, "Released") + (f" ({self.seconds:.0f} s)" if self.seconds else "")
        return {
            Outcome.UNCHANGED: NOTHING_CHANGED.rstrip("."),
            Outcome.ABORTED: "Aborted",
            Outcome.NOTHING_TO_ABORT: "Nothing to abort",
        }[self.outcome]

    def _unsettled(self) -> str:
        """What is left to do: nothing when all hosts serve one version, or none."""
        return self._next() if len(set(self.serving.values())) > 1 else ""

    def _next(self) -> str:
        said = [f"{what}: `{command}`" for what, command in (("finish", self.finish), ("undo", self.undo)) if command]
        return "; ".join(said)


NOTHING_CHANGED = "Nothing changed."
NOTHING_WOULD_CHANGE = "Nothing would change."


def where(serving: Mapping[str, str]) -> str:
    """`web1 and web2 serve 2.0.0`; every version once, with its hosts."""
    return ", ".join(f"{hosts(names)} {_serves(version, len(names))}" for version, names in _by_version(serving).items())


def has(serving: Mapping[str, str]) -> str:
    """`web1 has 2.0.0, web2 0.1.0`: for hosts that differ."""
    groups = list(_by_version(serving).items())
    if any(version in ("", "?") for version, _ in groups):
        return where(serving)
    said = [
        f"{hosts(names)} {('have ' if len(names) > 1 else 'has ') if not index else ''}{version}"
        for index, (version, names) in enumerate(groups)
    ]
    return ", ".join(said)


def changed(operations: Mapping[str, int]) -> str:
    """What a run that is no release did: host to how many operations changed something there."""
    touched = _counted(operations)
    return f"Changed: {touched}." if touched else NOTHING_CHANGED


def would_change(operations: Mapping[str, int]) -> str:
    """What a dry run found: host to how many operations would change something there, when none before them fails."""
    count = sum(1 for number in operations.values() if number)
    return f"{_many(count, 'host')} would change: {_counted(operations)}" if count else NOTHING_WOULD_CHANGE


def failed_on(operations: Mapping[str, Sequence[str]], done: Mapping[str, int]) -> str:
    """Why a run that is no release failed: host to the operations that failed there; `done` is what changed before."""
    said = "; ".join(f"{name}: {', '.join(names)} failed" for name, names in operations.items())
    return f"{said}. The reason is printed above, where it failed. {changed(done)}"


def hosts(names: Sequence[str]) -> str:
    """`web1`, `web1 and web2`, `web1, web2 and web3`, `all of 12 hosts` as a count beyond a handful."""
    if len(names) > NAMED:
        return f"{len(names)} hosts"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _by_version(serving: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in serving.items():
        found.setdefault(version, []).append(name)
    return found


def _serves(version: str, count: int) -> str:
    if version == "?":
        return "is unreachable"
    several = count > 1
    return f"{'serve' if several else 'serves'} {version or 'nothing'}"


def _counted(operations: Mapping[str, int]) -> str:
    named = [f"{name} ({_many(number, 'operation')})" for name, number in operations.items() if number]
    if len(named) <= NAMED:
        return ", ".join(named)
    return f"{', '.join(named[:NAMED])} and {len(named) - NAMED} more"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _sentences(*said: str) -> str:
    """Each begins with what it was given, and ends with one full stop; empty ones are left out, commands end without."""
    parts = [item.strip() for item in said if item.strip()]
    return " ".join(_capital(item) + ("" if item.endswith((".", "`")) else ".") for item in parts)


def _capital(item: str) -> str:
    """Names of hosts stay as they are: only words of ours begin with a capital."""
    return item[0].upper() + item[1:] if item.startswith(("finish", "undo")) else item
