"""The cutover from an old service on SQLite, as a state machine: which step follows which. Pure; `operations.cutover` does it.

The file stays the truth until the maintenance page goes: as long as nobody can write into PostgreSQL, any failure goes back to
the old service, and PostgreSQL is emptied again. With the page's going the rows are in PostgreSQL, and the only way is forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import yaml

from signupflow import names
from signupflow.maintenance import PRIORITY as ABOVE_ALL

# Above the app's own routes, whose priorities are the lengths of their rules; below the maintenance page.
PRIORITY = ABOVE_ALL // 2


class Step(StrEnum):
    """What the cutover does next; the last three are ends."""

    CHECK = "check"
    PAGE = "page"
    STOP = "stop"
    IMPORT = "import"
    SMOKE = "smoke"
    RELEASE = "release"
    OPEN = "open"

    WITHDRAW = "withdraw"
    EMPTY = "empty"
    START = "start"
    CLOSE = "close"

    MOVED = "moved"
    STAYED = "stayed"
    STUCK = "stuck"


ENDS = frozenset({Step.MOVED, Step.STAYED, Step.STUCK})
FORWARD = (Step.CHECK, Step.PAGE, Step.STOP, Step.IMPORT, Step.SMOKE, Step.RELEASE, Step.OPEN, Step.MOVED)
BACKWARD = (Step.WITHDRAW, Step.EMPTY, Step.START, Step.CLOSE, Step.STAYED)
# An import that fails has written nothing, unless its last word was lost: so what may be there is emptied.
_WAY_BACK = {
    Step.PAGE: Step.CLOSE,
    Step.STOP: Step.START,
    Step.IMPORT: Step.EMPTY,
    Step.SMOKE: Step.EMPTY,
    Step.RELEASE: Step.WITHDRAW,
    Step.OPEN: Step.STUCK,
}
# Steps after whose beginning PostgreSQL may hold the import's rows.
_FILLED = (Step.IMPORT, Step.SMOKE, Step.RELEASE, Step.WITHDRAW, Step.EMPTY)


def following(step: Step, well: bool, interrupted: bool = False) -> Step:
    """The step that follows one that went well or did not. `interrupted`: an earlier run was cut off behind the page."""
    if step in ENDS:
        return step
    if step in BACKWARD:
        return BACKWARD[BACKWARD.index(step) + 1] if well else Step.STUCK
    if well:
        return FORWARD[FORWARD.index(step) + 1]
    if step is Step.CHECK:
        # Nothing was touched yet, unless by a run before this one.
        return Step.START if interrupted else Step.STAYED
    return _WAY_BACK[step]


def first(last: Step | None) -> Step:
    """Where a run begins, by the step that an earlier one was at when it ended or was cut off."""
    if last in (Step.OPEN, Step.MOVED):
        return last
    return Step.PAGE if last in _FILLED else Step.CHECK


def interrupted(last: Step | None) -> bool:
    """Whether an earlier run was cut off with the page up, or about to be."""
    return last is not None and last not in (Step.CHECK, Step.STAYED, Step.MOVED)


def may_be_filled(last: Step | None) -> bool:
    """Whether what is in PostgreSQL may be what an earlier run, cut off, has brought there."""
    return last in _FILLED


def old_is_routed(last: Step | None) -> bool:
    """Whether the old service is what the public entry leads to, the page aside."""
    return last not in (Step.RELEASE, Step.OPEN, Step.MOVED)


def last_step(journal: str) -> Step | None:
    """The last step of a journal that `line` wrote; a line that was cut off does not count."""
    for text in reversed(journal.split("\n")):
        words = text.split()
        if len(words) == 3 and words[1] in set(Step):
            return Step(words[1])
    return None


def line(at: str, step: Step, run: str) -> str:
    """One line of the journal on the database's host: UTC in ISO 8601, the step that begins, the run."""
    return f"{at} {step} {run}"


def journal_path(app: str) -> str:
    return f"/var/lib/signupflow/releases/{app}.cutover"


# Seconds, measured on two cores (docs/evidence/cutover.json, import-speed.json). An import reads and writes this much a second.
_BYTES_A_SECOND, _LEAST_IMPORT, _AROUND, _TURN = 9_000_000, 3, 6, 6


def import_seconds(size: int) -> int:
    """About how long the import of a file of so many bytes takes."""
    return _LEAST_IMPORT + round(size / _BYTES_A_SECOND)


def describe(size: int, hosts: Sequence[str], stop: str) -> list[str]:
    """The way of a cutover in which nothing fails, as an operator reads it in a plan."""
    importing = import_seconds(size)
    away = importing + _AROUND + _TURN * len(hosts)
    words = {
        Step.CHECK: f"every row of the file ({size / 1e6:,.1f} MB) is read, beside the service that runs: about {importing} s",
        Step.PAGE: f"the maintenance page, for about {away} s (the check then says how long the import takes on this machine)",
        Step.STOP: f"the old service: {stop}",
        Step.IMPORT: f"in one transaction, compared before it is kept: about {importing} s",
        Step.SMOKE: "the app's own smoke suite, on the new database",
        Step.RELEASE: f"on {', '.join(hosts)}, behind the page",
        Step.OPEN: "the page is removed; from here on the rows are in PostgreSQL",
    }
    return [
        *(f"{step}: {text}" for step, text in words.items()),
        "any failure before the page is removed returns to the old service",
    ]


def routes(app: str, domains: Sequence[str], upstream: str) -> str:
    """Traefik's file that leads all domains to the old service. Its being there is what "not moved yet" means."""
    name = names.layer_service(app, names.LEGACY)
    document = {
        "http": {
            "routers": {
                router_name(app, domain): {
                    "rule": f"Host(`{domain}`)",
                    "priority": PRIORITY,
                    "entryPoints": ["websecure"],
                    "middlewares": ["security-headers@file"],
                    "service": name,
                    "tls": {"certResolver": "acme", "options": "default"},
                }
                for domain in domains
            },
            "services": {name: {"loadBalancer": {"servers": [{"url": upstream}], "passHostHeader": True}}},
        }
    }
    return "# Written by deploys/migrate_sqlite.py: the old service, until its rows are moved.\n" + yaml.safe_dump(
        document, sort_keys=False
    )


def router_name(app: str, domain: str) -> str:
    return names.router(app, domain, names.LEGACY)
