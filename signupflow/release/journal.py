"""What a rollout has done so far, kept on its host: JSON lines, one for each step begun. The next run reads the last."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from signupflow.release import appended
from signupflow.release.rollout import Step

# Some thirty rollouts.
KEPT_LINES = 500


@dataclass(frozen=True)
class Entry:
    """One step of a rollout. `at` is UTC in ISO 8601; `image` is the new generation's, empty on the way back."""

    run: str
    at: str
    new: int
    old: int
    step: str
    version: str
    image: str

    def line(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @property
    def ended(self) -> bool:
        """Whether its rollout came to an end that needs nothing more; one that is stuck does."""
        return self.step in (Step.DONE, Step.ROLLED_BACK)

    @property
    def going_back(self) -> int:
        """The generation to which a rollout that did not end was taking the host back; 0 when it was not."""
        return 0 if self.ended or self.image else self.new

    @property
    def switched(self) -> bool:
        """Whether the rollout ended with the new generation serving."""
        return self.step == Step.DONE


def entries(text: str) -> list[Entry]:
    """In the order they were written; a line that was cut off in the middle does not count."""
    return [entry for line in appended.lines(text) if (entry := appended.parsed(Entry, line)) is not None]


def last(text: str) -> Entry | None:
    """The last entry."""
    return next((entry for line in reversed(appended.lines(text)) if (entry := appended.parsed(Entry, line))), None)


def newest_release(journals: Iterable[str]) -> Entry | None:
    """The last step of the last release that was begun on any of these hosts: what an abort undoes. Ways back name no image."""
    return max((entry for text in journals for entry in entries(text) if entry.image), key=lambda entry: entry.at, default=None)


def served(text: str) -> list[int]:
    """Generations that served here and were not rolled back, the newest first.

    The end of a rollout with an image says that its generation serves from then on; without one, that the host went back from
    `old` to one that had served before.
    """
    found: list[int] = []
    for entry in entries(text):
        if entry.switched:
            found = [number for number in found if number != entry.new and (entry.image or number != entry.old)]
            found.append(entry.new)
    return found[::-1]


def served_script(app: str) -> str:
    """Print what `served` needs: the ends of rollouts, without the bytes that no journal of ours has."""
    return f"LC_ALL=C grep -a '\"step\":\"{Step.DONE}\"' {path(app)} | LC_ALL=C tr -cd '\\12\\40-\\176'"


def trim_script(app: str) -> str:
    """Keep the last lines, and of those before them what tells which releases have served: many failures push none out."""
    journal = path(app)
    ends = f'head -n -{KEPT_LINES} {journal} | LC_ALL=C grep -a \'"step":"{Step.DONE}"\' | tail -n {KEPT_LINES}'
    return f"{{ {ends}; tail -n {KEPT_LINES} {journal}; }} > {journal}.new && mv -f {journal}.new {journal}\n"


def append_script(app: str, entry: Entry) -> str:
    """Write an entry into the host's journal, on a line of its own whatever a power cut has left there."""
    return appended.append_script(path(app), entry.line())


def path(app: str) -> str:
    return f"/var/lib/signupflow/releases/{app}.journal"


def unfinished(entry: Entry | None, serving: int) -> int | None:
    """The generation before the one that serves, when that one's rollout did not end; None when it did, or nothing is known."""
    if entry is None or entry.ended or entry.new != serving:
        return None
    return entry.old
