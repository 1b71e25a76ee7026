"""What served before what: the releases that one can go back to, in order, from the ledger alone.

A release or a cutover that ended well puts its image on top. Going back to an image takes away whatever was released after
it: what was left so is not "the release before" any more until it is released again, or gone to by its name. Everything else
(a restart, a scaling, a rotation) tells which image serves, and changes nothing. What failed, was aborted or was interrupted
moved nothing for good, unless it turns out to be what serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from signupflow.release.ledger import ABORTED, INTERRUPTED, RELEASED, Record

FORWARD = ("release", "cutover")
BACK = "rollback"


def identity(image: str) -> str:
    """One image has one: the digest it is pinned by or the id it has, whatever tag stands before it."""
    return image.rpartition("sha256:")[2]


@dataclass
class _Course:
    """`stack` are identities, what serves on top, in the order in which each was last released."""

    stack: list[str] = field(default_factory=list)
    order: dict[str, int] = field(default_factory=dict)
    # What was begun since, not ended well, and not aborted: it may be what serves.
    unsettled: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        if record.outcome == RELEASED and record.image:
            self._settle(record)
            self.unsettled = []
        elif record.outcome == ABORTED:
            self.unsettled = []
        elif record.kind in (*FORWARD, BACK) and _may_serve(record):
            self.unsettled.append(record)

    def _settle(self, record: Record) -> None:
        if record.kind not in (*FORWARD, BACK):
            self.serves(identity(record.image))
            return
        self._went_back([*self.unsettled, record])
        self._apply(record)

    def _went_back(self, done: Sequence[Record]) -> None:
        """What was gone back from is left by it, also when the one or the other was cut off: all up to the last such."""
        for one in done[: max((number for number, one in enumerate(done, 1) if one.kind == BACK), default=0)]:
            self._apply(one)

    def _apply(self, record: Record) -> None:
        (self._back if record.kind == BACK else self._forward)(identity(record.image))

    def _forward(self, image: str) -> None:
        if self.stack[-1:] != [image]:
            self.order[image] = max(self.order.values(), default=-1) + 1
            self.stack = [*(other for other in self.stack if other != image), image]

    def _back(self, image: str) -> None:
        released = self.order.setdefault(image, -1)
        self.stack = [*(other for other in self.stack if self.order[other] < released), image]

    def serves(self, image: str) -> None:
        """This image serves, however that came about."""
        possible = [number for number, one in enumerate(self.unsettled) if identity(one.image) == image]
        if possible:
            self._went_back(self.unsettled[: possible[-1] + 1])
            self._apply(self.unsettled[possible[-1]])
        elif image not in self.order:
            self._forward(image)
        elif self.stack[-1:] != [image]:
            self._back(image)


def _may_serve(record: Record) -> bool:
    """Whether a deployment that did not end well may have left its image somewhere."""
    if record.outcome == INTERRUPTED:
        return not record.serves or record.version in record.serves.values()
    return bool(set(record.hosts) - set(record.rolled_back))


def now(records: Sequence[Record]) -> str:
    """The image that serves by the history: that of the last deployment that ended well."""
    return next((record.image for record in reversed(records) if record.outcome == RELEASED and record.image), "")


def before(records: Sequence[Record], serving: str) -> list[str]:
    """Identities of the images that served before the one that serves now (its image), the newest last."""
    course = _Course()
    for record in records:
        course.add(record)
    course.serves(identity(serving))
    ended_well = {identity(record.image) for record in records if record.outcome == RELEASED}
    return [image for image in course.stack[:-1] if image in ended_well]
