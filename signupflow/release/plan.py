"""The whole release as a sequence: what a dry run prints, and a run then does, host after host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signupflow.release.resume import Work
from signupflow.release.rollout import BACKWARD, Step
from signupflow.release.schema import Migration, pending


@dataclass(frozen=True)
class HostPlan:
    """What one host will do: nothing when `todo` is empty. `current` is the generation that serves, 0 for none."""

    host: str
    current: int
    todo: tuple[Work, ...]


def steps(work: Work) -> list[str]:
    """Lines of one rollout from the step it begins with; `step: what`."""
    if work.first in BACKWARD:
        return [f"{work.first}: generation {work.rollout.new}, left by an interrupted run"]
    order = list(Step)
    described = zip(work.rollout.path, work.rollout.describe(), strict=True)
    return [line for step, line in described if order.index(step) >= order.index(work.first)]


def schema_step(revision: str, known: str | None, migrations: tuple[Migration, ...]) -> str:
    """The schema's part in words. `known` is the database's revision, empty when it has none, None when it does not answer."""
    if not revision:
        return "by the image's own migration command, when it has one"
    if known == revision:
        return f"is at {revision} already"
    if known is None:
        return f"to {revision}; the database does not answer now"
    if not known:
        return f"made, at {revision}"
    if migrations and known not in {migration.revision for migration in migrations}:
        return f"is at {known}, newer than this image; the image proves itself on a copy"
    names = ", ".join(migration.revision for migration in pending(migrations, known)) or revision
    return f"from {known}: {names}; tried on a copy first, then once, before the first host"


def lines(title: str, schema: str, plans: Sequence[HostPlan], monitor_seconds: float, on_failure: str) -> Iterator[str]:
    """The plan for people, one line each; nothing when every host serves what is wanted."""
    if not any(plan.todo for plan in plans):
        return
    yield f"--> Release of {title}"
    yield "    1. preflight of all hosts, and the deploy lock"
    yield f"    2. the schema {schema}"
    for number, plan in enumerate(plans, 3):
        if not plan.todo:
            yield f"    {number}. {plan.host}: serves it already (generation {plan.current})"
            continue
        yield f"    {number}. {plan.host}"
        for work in plan.todo:
            for line in steps(work):
                yield f"         {line}"
    after = len(plans) + 3
    kept = "updated hosts are rolled back" if on_failure == "rollback" else "updated hosts keep it"
    if any(plan.current for plan in plans) and monitor_seconds:
        yield f"    {after}. monitor: {monitor_seconds:g} s of the whole service"
        after += 1
    yield f"    {after}. record, and the deploy lock is released"
    yield f"    If a host fails it reverts, later hosts are skipped, {kept}."
