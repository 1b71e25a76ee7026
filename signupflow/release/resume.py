"""What a host's rollout has to do, from what the host and the routes show: nothing, a fresh one, or the rest of one cut off.

The routes say what serves. During a shift they name two generations: the lower is the one that served before, the higher
the candidate. A run that was killed leaves a candidate that is not routed, one that has a share, an old generation that
still runs, or a rollout whose last checks are missing; each is finished or rolled back here, before anything new begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from signupflow.release.rollout import BACKWARD, Rollout, Step


@dataclass(frozen=True)
class Generation:
    """Containers of one generation on a host.

    `desired`: all replicas run and are made from what is wanted now. `promoted`: a reboot starts them.
    """

    desired: bool
    promoted: bool


@dataclass(frozen=True)
class Observed:
    """A host as it is: generations in the routes (ascending), generations with containers, and every number ever used.

    `unfinished` is the generation before the one that serves, when the journal says that its rollout did not end; 0 when it had
    none; None when the rollout ended. `going_back` is where one that did not end was taking the host back to; 0 for nowhere.
    """

    host: str
    routed: tuple[int, ...] = ()
    present: Mapping[int, Generation] = field(default_factory=dict)
    used: tuple[int, ...] = ()
    routes_match: bool = True
    unfinished: int | None = None
    going_back: int = 0

    @property
    def current(self) -> int:
        """The generation that serves, or served before the one that is on its way; 0 for none."""
        return min(self.routed, default=0)


@dataclass(frozen=True)
class Work:
    """A rollout and the step it begins with."""

    rollout: Rollout
    first: Step


def next_number(observed: Observed) -> int:
    """A number never used on this host, and of the other parity than what serves: parity decides the ports."""
    number = max([observed.current, *observed.present, *observed.used, *observed.routed]) + 1 if _any(observed) else 1
    return number + 1 if observed.current and number % 2 == observed.current % 2 else number


def _any(observed: Observed) -> bool:
    return bool(observed.present or observed.used or observed.routed)


def decide(observed: Observed, fresh: Rollout) -> tuple[Work, ...]:
    """What is to be done, in order; empty when the host serves what is wanted. `fresh` carries the settings of a rollout."""
    current = observed.current
    if len(observed.routed) > 1:
        return _shared(observed, fresh)
    strays = sorted(set(observed.present) - {current})
    serving = observed.present.get(current)
    as_wanted = serving is not None and serving.desired
    if as_wanted and strays:
        return _stopped_short(observed, fresh, strays)
    if as_wanted:
        return _last_checks(observed, fresh)
    undone = tuple(_removed(fresh, stray, current) for stray in strays if not _goes_on(observed, stray))
    goes_on = [stray for stray in strays if _goes_on(observed, stray)]
    new = goes_on[-1] if goes_on else next_number(observed)
    return (
        *undone,
        *(_removed(fresh, stray, current) for stray in goes_on[:-1]),
        Work(_rollout(fresh, new, current), Step.WRITE),
    )


def decide_again(observed: Observed, fresh: Rollout) -> tuple[Work, ...]:
    """A rollout although the host serves what is wanted: the same once more, in new containers.

    What was cut off comes first; when that brings new containers by itself, it is enough.
    """
    current, first = observed.current, decide(observed, fresh)
    if any(item.rollout.new != current and item.first not in BACKWARD for item in first):
        return first
    return (*first, Work(_rollout(fresh, next_number(observed), current), Step.WRITE))


def undo(observed: Observed, fresh: Rollout) -> tuple[Work, ...]:
    """What takes an unfinished rollout back: the routes first, then the candidate; empty when there is none."""
    current = observed.current
    if observed.going_back and observed.going_back == current:
        others = [number for number in sorted(observed.present) if number != current]
        return (Work(replace(_rollout(fresh, current, others[-1] if others else 0), known=True), Step.PROMOTE),)
    if observed.going_back:
        return (back(fresh, current, observed.going_back),)
    if len(observed.routed) > 1:
        return (Work(_rollout(fresh, max(observed.routed), current), Step.ROUTE_BACK),)
    if observed.unfinished:
        # All traffic had moved already: the one before comes up again, and takes over.
        return (back(fresh, current, observed.unfinished),)
    return tuple(_removed(fresh, stray, current) for stray in sorted(set(observed.present) - {current}))


def back(fresh: Rollout, serving: int, before: int) -> Work:
    """Take a host back to the generation it served before, which is still there as files."""
    return Work(replace(fresh, new=before, old=serving, known=True), Step.START)


def _shared(observed: Observed, fresh: Rollout) -> tuple[Work, ...]:
    """Cut off while both served."""
    current, candidate = observed.current, max(observed.routed)
    found = observed.present.get(candidate)
    rollout = replace(_rollout(fresh, candidate, current), shared=True)
    if found is not None and found.desired:
        return (Work(rollout, Step.HEALTH),)
    again = decide(Observed(observed.host, (current,), _without(observed, candidate), (*observed.used, candidate)), fresh)
    return (Work(rollout, Step.ROUTE_BACK), *again)


def _without(observed: Observed, number: int) -> dict[int, Generation]:
    return {key: value for key, value in observed.present.items() if key != number}


def _stopped_short(observed: Observed, fresh: Rollout, strays: list[int]) -> tuple[Work, ...]:
    """What is wanted serves, and something else still runs: the one before it, or a candidate of another release."""
    current = observed.current
    before = [stray for stray in strays if stray == observed.unfinished]
    # What serves is promoted first: whoever was on its way may have demoted it.
    promoted = () if before or observed.present[current].promoted else (Work(_rollout(fresh, current, 0), Step.PROMOTE),)
    removed = tuple(_removed(fresh, stray, current) for stray in strays if stray not in before)
    return (*promoted, *removed, *(Work(_rollout(fresh, current, stray), Step.PROMOTE) for stray in before))


def _last_checks(observed: Observed, fresh: Rollout) -> tuple[Work, ...]:
    rollout = _rollout(fresh, observed.current, observed.unfinished or 0)
    if not observed.present[observed.current].promoted:
        return (Work(rollout, Step.PROMOTE),)
    if not observed.routes_match:
        return (Work(rollout, Step.SWITCH),)
    return (Work(rollout, Step.SMOKE),) if observed.unfinished is not None else ()


def _goes_on(observed: Observed, stray: int) -> bool:
    """Whether a candidate that is not routed is the one that is wanted, on ports that are not those of what serves."""
    current = observed.current
    return observed.present[stray].desired and stray > current and (not current or stray % 2 != current % 2)


def _removed(fresh: Rollout, stray: int, current: int) -> Work:
    """A lower number has served before: its containers go, its files stay."""
    return Work(replace(_rollout(fresh, stray, current), known=stray < current), Step.REMOVE)


def _rollout(fresh: Rollout, new: int, old: int) -> Rollout:
    return replace(fresh, new=new, old=old)
