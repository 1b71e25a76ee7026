"""Everything that is checked before a byte is written, over two processes when the file is large."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sqlite_import import keys, matching, orphans, reading, source
from sqlite_import.findings import Finding, Findings, key_text
from sqlite_import.reading import Read
from sqlite_import.schema import Schema, Sequence, Table, quoted
from sqlite_import.workplace import CannotWork

# A file below this is read in this process: a second one would take longer to begin.
SMALL = 16 << 20
POLL = 0.5

# What to do (read, keys, integrity) with which table; the table as read, and the file of what was found.
Job = tuple[str, str]
Done = tuple[Read | None, Path]


@dataclass(frozen=True)
class Task:
    """What every process needs to know."""

    snapshot: source.Snapshot
    schema: Schema
    folder: Path
    zoned_as_utc: bool
    quarantine: bool
    jobs: int

    @property
    def large(self) -> bool:
        return self.jobs > 1 and self.snapshot.path.stat().st_size >= SMALL

    @property
    def orphans(self) -> orphans.Orphans | None:
        return orphans.Orphans(self.folder / "aside.sqlite") if self.quarantine else None


@dataclass
class Result:
    """`reads` has every table when there are no findings."""

    findings: Findings
    revision: str | None = None
    left_out: tuple[matching.Extra, ...] = ()
    aside: Counter[str] = field(default_factory=Counter)
    aside_keys: dict[str, list[str]] = field(default_factory=dict)
    reads: dict[str, Read] = field(default_factory=dict)


def run(
    task: Task,
    findings: Findings,
    *,
    ignore_empty: bool,
    phase: Callable[[str], None],
    rows: Callable[[int], None],
) -> Result:
    """Check the whole file, into `findings`. One that is not whole or of another schema is not read row by row."""
    result = Result(findings)
    try:
        phase("check the file")
        with task.snapshot.open() as connection:
            result.findings.extend(source.check_encoding(connection))
            if not task.large:
                # Of a large one it is a job beside the others: it takes as long as they do.
                result.findings.extend(source.check_integrity(connection))
            if result.findings:
                return result
            tables = source.tables(connection)
            match = matching.match(connection, tables, task.schema, str(task.snapshot.source), ignore_empty)
            result.revision, result.left_out = match.revision, match.left_out
            result.findings.extend(match.findings)
            if result.findings:
                return result
            if task.orphans:
                _put_aside(connection, task, tables, result)
            sizes = {name: _size(connection, name) for name in task.schema.tables}
        phase("read every row")
        _read_all(task, sizes, result, rows)
    except source.BROKEN as error:
        result.findings.add(source.corrupt(error).finding)
    return result


def highest(task: Task) -> Callable[[Table, Sequence], int | None]:
    """The greatest number that a column has or that SQLite has ever given to it (AUTOINCREMENT remembers)."""

    def ask(table: Table, sequence: Sequence) -> int | None:
        with task.snapshot.open() as connection:
            greatest = connection.execute(f"SELECT max({quoted(sequence.column)}) FROM {quoted(table.name)}").fetchone()[0]
            given = None
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
                row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
                given = row[0] if row and isinstance(row[0], int) else None
        known = [number for number in (greatest, given) if number is not None]
        return max(known) if known else None

    return ask


def _put_aside(connection: sqlite3.Connection, task: Task, tables: dict[str, source.SourceTable], result: Result) -> None:
    assert task.orphans
    without = [name for name in task.schema.tables if not tables[name].has_rowid]
    if without:
        raise source.Unusable(
            "without-rowid", f"has tables without row numbers ({', '.join(without)})", "run without --quarantine-orphans"
        )
    task.orphans.create()
    task.orphans.attach(connection)
    schema = task.schema.tables
    result.aside = orphans.collect(
        connection, schema, task.orphans, lambda table, reference: keys.orphans_of(table, reference, schema, task.orphans)
    )
    for table in schema.values():
        found = [key_text(table.primary_key.columns, key) for key in orphans.keys(connection, table)]
        if found:
            result.aside_keys[table.name] = found


def _size(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])


def _read_all(task: Task, sizes: dict[str, int], result: Result, rows: Callable[[int], None]) -> None:
    counter = reading.Counter(task.folder / "progress", len(sizes))
    names = list(sizes)
    # The largest first, so that the processes end together.
    work = sorted(((kind, name) for name in names for kind in ("read", "keys")), key=lambda job: -sizes[job[1]])
    done: dict[Job, Done] = {}
    if task.large:
        work.insert(0, ("integrity", names[0]))
        done = _in_processes(task, work, counter, names, rows)
    else:
        for job in work:
            done[job] = _job(task, counter, names.index(job[1]), *job)
            rows(counter.total())
    # Found in whatever order, told in one.
    for job in [("integrity", names[0]), *((kind, name) for name in names for kind in ("keys", "read"))]:
        if job not in done:
            continue
        read, found = done[job]
        with closing(Findings(found)) as kept:
            result.findings.extend(kept)
        if read:
            expected = sizes[read.table] - len(result.aside_keys.get(read.table, ()))
            if read.rows != expected:
                raise sqlite3.DatabaseError(f"table {read.table} counts {expected} rows and gives {read.rows}")
            result.reads[read.table] = read


def _in_processes(
    task: Task, work: list[Job], counter: reading.Counter, names: list[str], rows: Callable[[int], None]
) -> dict[Job, Done]:
    done = {}
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(task.jobs, context, _die_with_parent, (os.getpid(),)) as pool:
            waiting = {pool.submit(_job, task, counter, names.index(job[1]), *job): job for job in work}
            open_ones = set(waiting)
            while open_ones:
                finished, open_ones = wait(open_ones, POLL, FIRST_COMPLETED)
                for future in finished:
                    done[waiting[future]] = future.result()
                rows(counter.total())
    except BrokenProcessPool:
        raise CannotWork("a process that read the file was ended from outside; is memory short? --jobs 1 takes less") from None
    return done


def _job(task: Task, counter: reading.Counter, index: int, kind: str, name: str) -> Done:
    """One table, in whatever process."""
    table = task.schema.tables[name]
    os.environ["SQLITE_TMPDIR"] = str(task.folder)
    findings = Findings(task.folder / f"{kind}-{name}.jsonl")
    try:
        with closing(findings), task.snapshot.open() as connection:
            if task.orphans:
                task.orphans.attach(connection)
            if kind == "integrity":
                findings.extend(source.check_integrity(connection))
                return None, findings.path
            if kind == "keys":
                findings.extend(_between_rows(connection, table, task))
                return None, findings.path
            with counter.at(index) as progress:
                read = reading.read(
                    connection,
                    table,
                    task.folder / f"{name}.copy",
                    findings.add,
                    orphans=task.orphans,
                    zoned_as_utc=task.zoned_as_utc,
                    progress=progress,
                )
            return read, findings.path
    except source.BROKEN as error:
        with closing(Findings(findings.path)) as again:
            again.add(source.corrupt(error).finding)
        return None, findings.path


def _between_rows(connection: sqlite3.Connection, table: Table, task: Task) -> Iterator[Finding]:
    yield from keys.doubles(connection, table)
    yield from keys.too_long(connection, table)
    yield from keys.dangling(connection, table, task.schema.tables, task.orphans)


def _die_with_parent(parent: int) -> None:
    """Nobody waits for a worker whose parent was killed. PR_SET_PDEATHSIG of prctl(2)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != parent:
        os._exit(1)
