"""What restores went back behind: from which moment until which, and where the cluster that has it is kept.

Recovery follows the newest timeline, which has nothing of it: asked for a moment in between, it would stop where the timelines
part and call that the moment. A note is kept on this host, and in every repository beside the backup that such a recovery would
begin with (pgBackRest's annotations): it outlives the host, is encrypted as that backup is, and goes when that backup goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime

from backup import records
from backup.archive import Copy
from backup.configuration import DATA, REPOSITORIES, STATE, place
from backup.exit_codes import Failed, Restore, errors
from backup.server import Server
from signupflow.shared import humanize

FILE = STATE / "replaced.json"
# As it was written before notes had a name: a line for each, without a place in the log.
OLD_FILE = STATE / "replaced"
ANNOTATION = "replaced-"
# While users wait for the database: a store that does not answer by then is told later.
QUICKLY_SECONDS = 8


@dataclass(frozen=True)
class Note:
    """One restore. Times are seconds since 1970; `since` and `until` are equal where nothing was left out.

    `timeline` and `at` say where the new timeline parted from the one before. A `void` one came to nothing: its cluster did not
    start, and the one before has its place again.
    """

    name: str
    since: float
    until: float
    timeline: int = 0
    at: str = ""
    kept: str = ""
    void: bool = False

    @property
    def where(self) -> str:
        """Where what was in between is, as the end of a sentence."""
        return f"in {self.kept} alone" if self.kept else "lost with the host that it was on"

    @property
    def interval(self) -> tuple[datetime, datetime]:
        return datetime.fromtimestamp(self.since, UTC), datetime.fromtimestamp(self.until, UTC)

    @property
    def left_out_anything(self) -> bool:
        return self.since < self.until

    def within(self, moment: datetime) -> bool:
        return self.since < moment.timestamp() < self.until

    def encoded(self) -> str:
        return f"{self.since:.3f} {self.until:.3f} {self.timeline} {self.at or '-'} {self.kept or '-'}"


def decoded(name: str, text: str) -> Note | None:
    """What `encoded` wrote; None for anything else."""
    found = re.fullmatch(r"([0-9.]+) ([0-9.]+) ([0-9]+) (\S+) (\S+)", text)
    if not found:
        return None
    since, until, timeline, at, kept = found.groups()
    try:
        return Note(name, float(since), float(until), int(timeline), at.strip("-"), "" if kept == "-" else kept)
    except ValueError:
        return None


def notes(copies: Iterable[Copy] = ()) -> list[Note]:
    """All that is known of restores, from this host and from the backups that are listed, the oldest first."""
    stored = [
        note
        for copy in copies
        for key, value in copy.annotations
        if key.startswith(ANNOTATION) and (note := decoded(key.removeprefix(ANNOTATION), value))
    ]
    found = {note.name: note for note in (*stored, *_old(), *_here())}
    return sorted((note for note in found.values() if not note.void), key=lambda note: (note.until, note.name))


def keep(note: Note) -> None:
    """Keep a note on this host, where it replaces the one of its name."""
    held = {old.name: old for old in _here()} | {note.name: note}
    records.replace(FILE, json.dumps([asdict(one) for one in held.values()], indent=2) + "\n")


def void(name: str) -> None:
    """The restore of this name came to nothing."""
    if note := next((note for note in _here() if note.name == name), None):
        keep(replace(note, void=True))


def _here() -> list[Note]:
    try:
        found = json.loads(FILE.read_text())
        return [Note(**{field.name: item[field.name] for field in fields(Note)}) for item in found]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(
            Restore.CONFIGURATION,
            f"{FILE} cannot be read ({error}); move it away: the notes that it held are beside the backups as well",
        ) from None


def _old() -> list[Note]:
    """Lines of hosts that restored before notes were kept in the store; one that a kill left half is passed over."""
    text = OLD_FILE.read_text(errors="replace") if OLD_FILE.is_file() else ""
    found = re.findall(r"^([0-9]+(?:\.[0-9]+)?) ([0-9]+(?:\.[0-9]+)?) (.+)\n", text, re.MULTILINE)
    return [
        Note(kept.rpartition("/")[2], float(since), float(until), kept=kept if kept.startswith(str(DATA)) else "")
        for since, until, kept in found
    ]


@dataclass(frozen=True)
class Step:
    """One annotation to be made, or with an empty text removed."""

    repository: int
    label: str
    name: str
    text: str


def missing(copies: Sequence[Copy]) -> list[Step]:
    """What the repositories lack of the notes of this host, or have too much."""
    steps = []
    for note in _here():
        key = f"{ANNOTATION}{note.name}"
        for repository in REPOSITORIES:
            held = [copy for copy in copies if copy.repository == repository]
            if note.void:
                wrong = [copy.label for copy in held if dict(copy.annotations).get(key)]
                steps += [Step(repository, label, key, "") for label in wrong]
            elif (copy := _before(held, note)) and dict(copy.annotations).get(key) != note.encoded():
                steps.append(Step(repository, copy.label, key, note.encoded()))
    return steps


def _before(copies: Sequence[Copy], note: Note) -> Copy | None:
    """The newest backup from which recovery could come to what was replaced: when it has expired, so has that."""
    past = [copy for copy in copies if copy.stopped.timestamp() <= note.since]
    return max(past, key=lambda copy: copy.stopped, default=None)


def stored(server: Server, copies: Sequence[Copy], tell: Callable[[str], None], seconds: int = 0) -> None:
    """Bring the notes of this host into the repositories. What cannot be now is told, and tried again by the next backup."""
    for step in missing(copies):
        limit = ("timeout", str(seconds)) if seconds else ()
        done = server.run(
            (
                *limit,
                *("pgbackrest", f"--repo={step.repository}", f"--set={step.label}"),
                *(f"--annotation={step.name}={step.text}", "--log-level-console=warn", "annotate"),
            )
        )
        if done.code:
            why = (errors(done.out + done.err).strip().splitlines() or ["it did not answer in time"])[0]
            tell(f"the note of what is replaced is not in {place(step.repository)} yet, the next backup tries again: {why}")


def shown(note: Note) -> str:
    """For a list: what no restore leads to, and where it is."""
    since, until = map(humanize.moment, note.interval)
    return f"{since} to {until}: {note.where}"
