"""What a rollout has done so far, kept on its host: JSON lines, one for each step begun. The next run reads the last."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass

from signupflow.release.rollout import Step


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
        return self.step in (Step.DONE, Step.UNDONE)

    @property
    def going_back(self) -> int:
        """The generation to which a rollout that did not end was taking the host back; 0 when it was not."""
        return 0 if self.ended or self.image else self.new

    @property
    def switched(self) -> bool:
        """Whether the rollout ended with the new generation serving."""
        return self.step == Step.DONE


def last(text: str) -> Entry | None:
    """The last entry; a line that was cut off in the middle does not count."""
    for line in reversed(text.splitlines()):
        try:
            return Entry(**json.loads(line))
        except (ValueError, TypeError):
            continue
    return None


def append_script(app: str, entry: Entry) -> str:
    """Append one entry. A last line that lost power cut off in the middle gets its line break first: it spoils only itself."""
    where = shlex.quote(path(app))
    return (
        f"mkdir -p $(dirname {where})\n"
        f'test -z "$(tail -c 1 {where} 2>/dev/null)" || echo >> {where}\n'
        f"printf '%s\\n' {shlex.quote(entry.line())} >> {where}"
    )


def path(app: str) -> str:
    return f"/var/lib/signupflow/releases/{app}.journal"


def unfinished(entry: Entry | None, serving: int) -> int | None:
    """The generation before the one that serves, when that one's rollout did not end; None when it did, or nothing is known."""
    if entry is None or entry.ended or entry.new != serving:
        return None
    return entry.old
