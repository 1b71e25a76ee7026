"""Which of the things that can be done with the one issue about drift is due."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    NOTHING = "nothing to say"
    OPEN = "opened"
    UPDATE = "updated"
    CLOSE = "closed"


@dataclass(frozen=True)
class Issue:
    """An open issue."""

    number: int
    body: str


def due(drifted: bool, body: str, there: Issue | None) -> Action:
    """One issue while reality differs, changed only when what differs has changed; closed when nothing differs."""
    if not drifted:
        return Action.CLOSE if there else Action.NOTHING
    if there is None:
        return Action.OPEN
    # GitHub gives line ends back as they were typed in a browser.
    same = there.body.replace("\r\n", "\n").strip() == body.strip()
    return Action.NOTHING if same else Action.UPDATE
