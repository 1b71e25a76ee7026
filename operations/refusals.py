"""What a dry run finds that the run itself would be refused for: its exit code says so, after its plan is printed."""

from __future__ import annotations

from pyinfra import host, state

_noted: dict[str, None] = {}


def note(why: str) -> None:
    """In a plan, remember a refusal; a run that is executing says it by failing."""
    if not state.is_executing:
        _noted[f"{host.name}: {why}"] = None


def noted() -> list[str]:
    """Each once, in the order in which they were found."""
    return list(_noted)


def forget() -> None:
    _noted.clear()
