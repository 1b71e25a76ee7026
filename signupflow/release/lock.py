"""Who may change the hosts now: a deploy lock of one run, kept as a small file on every host of the run.

The file is `key=value` lines, so that a host needs nothing but a shell to judge it, by its own clock. A deploy lock whose process
is gone (same machine, same boot, no such process) or whose time is over is taken over; any other is refused with its
owner's name. Acquiring, renewing and returning are each one shell script that holds flock(1) on a file beside it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

DIRECTORY = "/var/lib/signupflow/lock"
FILE = f"{DIRECTORY}/held"

# A word that no owner's name can be: names are written by `clean`.
REFUSED = "refused"
LOST = "lost"


@dataclass(frozen=True)
class Lock:
    """One run's claim. `process` names the controller's process as no other: machine, boot, pid and its start.

    `seconds` is how long it lasts from each renewal, by the host's clock; `left` is what a host says remains of it.
    """

    run: str
    owner: str
    reason: str
    process: str
    seconds: int
    left: int = 0

    def text(self) -> str:
        """The file without its last line, which is the host's own `expires=<unix seconds>`."""
        return "".join(
            f"{key}={clean(value)}\n"
            for key, value in (("run", self.run), ("owner", self.owner), ("reason", self.reason), ("process", self.process))
        )

    @property
    def said(self) -> str:
        """For people: who, why, and for how long still."""
        return f"{self.owner} ({self.reason}), for another {max(self.left, 0)} s unless renewed"


def clean(value: str) -> str:
    """One line of printable text, 200 characters at most: it is shown to other people."""
    return re.sub(r"[^ -~]", "?", value)[:200].strip()


def parse(text: str) -> Lock | None:
    """A deploy lock as `read_script` prints it; None when there is none."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if "run" not in found:
        return None
    return Lock(
        found["run"], found.get("owner", "?"), found.get("reason", "?"), found.get("process", ""), 0, int(found.get("left") or 0)
    )


READ = (
    f"if test -f {FILE}; then cat {FILE}; expires=$(sed -n 's/^expires=//p' {FILE}); "
    'echo "left=$(( ${expires:-0} - $(date +%s) ))"; fi'
)


def acquire_script(wanted: Lock, gone: tuple[str, ...] = ()) -> str:
    """Take the deploy lock unless somebody else's holds; then print `refused` and that lock.

    `gone` are runs whose process is known to have ended: theirs are taken over before their time.
    """
    mine = " || ".join(f'test "$run" = {shlex.quote(run)}' for run in (wanted.run, *gone))
    return (
        f"{_LOCKED}run=$(sed -n 's/^run=//p' {FILE} 2>/dev/null); expires=$(sed -n 's/^expires=//p' {FILE} 2>/dev/null)\n"
        f'if test -n "$run" && test "${{expires:-0}}" -gt "$(date +%s)" && ! {{ {mine}; }}; then\n'
        f"  echo {REFUSED}; {READ}; exit 0\nfi\n{_write(wanted)}"
    )


def renew_script(wanted: Lock) -> str:
    """Lengthen the deploy lock; print `lost` when it is somebody else's by now (it had run out)."""
    return f"{_LOCKED}if ! {_holds(wanted.run)}; then echo {LOST}; {READ}; exit 0; fi\n{_write(wanted)}"


def return_script(run: str) -> str:
    """Give the deploy lock back if it is still this run's; an empty `run` takes away anybody's."""
    condition = _holds(run) if run else "true"
    return f"test -d {DIRECTORY} || exit 0\n{_LOCKED}if {condition}; then rm -f {FILE}; fi\n"


_LOCKED = f"mkdir -p {DIRECTORY}; exec 9>{DIRECTORY}/lock; flock -w 10 9 || exit 1\n"


def _holds(run: str) -> str:
    return f"test \"$(sed -n 's/^run=//p' {FILE} 2>/dev/null)\" = {shlex.quote(run)}"


def _write(wanted: Lock) -> str:
    return (
        f'{{ printf %s {shlex.quote(wanted.text())}; echo "expires=$(( $(date +%s) + {wanted.seconds} ))"; }} > {FILE}.new'
        f" && mv -f {FILE}.new {FILE}\n"
    )
