"""One host's rollout, as a state machine: which step follows which event. Pure; `operations/rollout.py` does the steps.

Forward, the new replicas come up beside the old, are asked, get traffic bit by bit, and only when Traefik confirms that
nothing is sent to the old ones do these stop. Any failure leads back: as long as the old ones run, by routing to them; when
they have stopped, by starting them again first. Traffic always has somewhere to go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What a rollout does next; the last three are ends."""

    WRITE = "write"
    START = "start"
    HEALTH = "health"
    VERIFY = "verify"
    SOAK = "soak"
    SHIFT = "shift"
    PROMOTE = "promote"
    SWITCH = "switch"
    STOP = "stop"
    SMOKE = "smoke"
    BAKE = "bake"
    FINISH = "finish"

    REVIVE = "revive"
    ROUTE_BACK = "route back"
    REMOVE = "remove"

    DONE = "done"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"


class Event(StrEnum):
    """What became of a step. MORE: it goes on with the next of its parts (a shift's next weight)."""

    OK = "ok"
    MORE = "more"
    FAILED = "failed"


ENDS = frozenset({Step.DONE, Step.ROLLED_BACK, Step.STUCK})
BACKWARD = (Step.REVIVE, Step.ROUTE_BACK, Step.REMOVE)

# Where a failure leads, by how far the rollout had come. What serves is never taken away first.
_BEFORE_TRAFFIC = (Step.WRITE, Step.START, Step.HEALTH, Step.VERIFY, Step.SOAK)
_BOTH_SERVE = (Step.SHIFT, Step.PROMOTE, Step.SWITCH)
_OLD_IS_GONE = (Step.STOP, Step.SMOKE, Step.BAKE)


@dataclass(frozen=True)
class Rollout:
    """What one host's rollout is to do. `old` is 0 when nothing serves there yet.

    `known`: the new generation is on the host from before, and has served there (a release that is rolled back).
    `shared`: both serve already (a run was cut off in its shift), so that every failure begins with the routes.
    `weights` are the percentages of the host's traffic that the new replicas get one after another before all of it;
    `pause_seconds` lies after each. `soak_seconds` is how long the candidates are watched, and their stop is tried,
    before they get traffic; `bake_seconds` how long they are watched after. Zero leaves a step out.
    """

    host: str
    new: int
    old: int
    replicas: int
    known: bool = False
    shared: bool = False
    verify: bool = True
    soak_seconds: float = 0
    weights: tuple[int, ...] = ()
    pause_seconds: float = 0
    bake_seconds: float = 0

    @property
    def path(self) -> tuple[Step, ...]:
        """The steps of a rollout in which nothing fails, in order."""
        first, known = not self.old, self.known
        wanted = {
            Step.WRITE: not known,
            Step.START: True,
            Step.HEALTH: True,
            Step.VERIFY: self.verify and not known,
            Step.SOAK: bool(self.soak_seconds) and not first and not known and not self.shared,
            Step.SHIFT: bool(self.weights) and not first and not known,
            Step.PROMOTE: True,
            Step.SWITCH: True,
            Step.STOP: not first,
            Step.SMOKE: True,
            Step.BAKE: bool(self.bake_seconds) and not first and not known,
            Step.FINISH: True,
        }
        return tuple(step for step, needed in wanted.items() if needed)

    def after(self, step: Step, event: Event) -> Step:
        """The step that follows. Ends follow themselves, whatever happens."""
        if step in ENDS:
            return step
        if step in BACKWARD:
            return self._after_backward(step, event)
        if event is Event.MORE:
            return step
        if event is Event.OK:
            return self._after_forward(step)
        return self._undo(step)

    def _after_forward(self, step: Step) -> Step:
        order = tuple(Step)
        later = [candidate for candidate in self.path if order.index(candidate) > order.index(step)]
        return later[0] if later else Step.DONE

    def _undo(self, step: Step) -> Step:
        if step in _BEFORE_TRAFFIC:
            return Step.ROUTE_BACK if self.shared else Step.REMOVE
        if step is Step.FINISH:
            return Step.STUCK
        if not self.old:
            # Nothing served before: what runs is left for somebody to look at, and a routing is never emptied.
            return Step.STUCK
        return Step.ROUTE_BACK if step in _BOTH_SERVE else Step.REVIVE

    def _after_backward(self, step: Step, event: Event) -> Step:
        if event is Event.FAILED:
            return Step.STUCK
        if event is Event.MORE:
            return step
        return {Step.REVIVE: Step.ROUTE_BACK, Step.ROUTE_BACK: Step.REMOVE, Step.REMOVE: Step.ROLLED_BACK}[step]

    def describe(self) -> list[str]:
        """The rollout's path as an operator reads it in a plan: one line each, `step: what`."""
        replicas = f"{self.replicas} replica{'s' if self.replicas > 1 else ''}"
        beside = f" beside generation {self.old}" if self.old else ""
        shares = ", ".join(f"{weight} %" for weight in self.weights)
        words = {
            Step.WRITE: f"files and secrets of generation {self.new}",
            Step.START: f"{replicas} of generation {self.new}{beside}",
            Step.HEALTH: "each replica answers its health path",
            Step.VERIFY: "version, schema and a refused cross-tenant read, from inside",
            Step.SOAK: f"{self.soak_seconds:g} s without traffic, and a stop within the grace",
            Step.SHIFT: f"{shares} of this host's traffic, {self.pause_seconds:g} s each",
            Step.PROMOTE: f"a reboot from now on starts generation {self.new} only",
            Step.SWITCH: f"all traffic to generation {self.new}, confirmed by Traefik",
            Step.STOP: f"generation {self.old} finishes what is in flight and stops",
            Step.SMOKE: "each domain through HTTPS",
            Step.BAKE: f"error rate and restarts for {self.bake_seconds:g} s",
            Step.FINISH: "recorded; old releases and images pruned",
        }
        return [f"{step}: {words[step]}" for step in self.path]
