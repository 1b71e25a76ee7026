"""The program: `scripts/migrate_sqlite_to_postgres.py SOURCE TARGET_URL`.

Exit codes: 0 migrated and compared, 1 the file was refused, 2 usage or configuration, 3 the target is not reachable, not
empty or of another schema, or did not take the load, 4 what PostgreSQL holds differs from the file.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sqlite_import import door, load, orphans, preflight, report, source, target, verify, workplace
from sqlite_import.findings import Findings
from sqlite_import.progress import Progress
from sqlite_import.report import Report
from sqlite_import.schema import Schema

MIGRATED, REFUSED, USAGE, TARGET, DIFFERENT = 0, 1, 2, 3, 4
INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    path: Path
    url: str
    report: Path | None = None
    dry_run: bool = False
    verify_only: bool = False
    quarantine: Path | None = None
    ignore_empty: bool = False
    zoned_as_utc: bool = False
    work_dir: Path | None = None
    jobs: int = 2
    quiet: bool = False


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 migrated and compared; 1 the file was refused; 2 usage or configuration; "
    "3 the target is not reachable, not empty, of another schema, or did not take the load; 4 the two differ.",
)
@click.argument("file", metavar="SOURCE.sqlite", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target_url", metavar="[TARGET_URL]", required=False)
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path), help="Write everything found as JSON.")
@click.option("--dry-run", is_flag=True, help="Check the file and the target; write nothing.")
@click.option("--verify-only", is_flag=True, help="Compare the file with a target that was filled before; write nothing.")
@click.option(
    "--quarantine-orphans",
    "quarantine",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Put rows aside whose references lead nowhere: as JSON lines, in a new folder in DIR.",
)
@click.option("--ignore-empty", is_flag=True, help="Leave out tables and columns that the target lacks, when they are empty.")
@click.option("--zoned-as-utc", is_flag=True, help="Write times with a zone as UTC, where the column has no zone.")
@click.option(
    "--work-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the snapshot and the rows are kept meanwhile; the system's temporary folder when left out.",
)
@click.option("--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="Processes that read a large file.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def main(
    file: Path,
    target_url: str | None,
    report_file: Path | None,
    dry_run: bool,
    verify_only: bool,
    quarantine: Path | None,
    ignore_empty: bool,
    zoned_as_utc: bool,
    work_dir: Path | None,
    jobs: int,
    quiet: bool,
) -> None:
    """Move SignUpFlow's SQLite database into an empty PostgreSQL schema: every row, or not one.

    Without TARGET_URL the target is DATABASE_URL, or what DATABASE_URL_FILE holds; a password then stands in no list of
    processes. The schema must have been built by `alembic upgrade head` of the release to be deployed.
    """
    if dry_run and verify_only:
        raise click.UsageError("--dry-run and --verify-only: give one of them")
    try:
        url = _url(target_url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    options = Options(
        file, url, report_file, dry_run, verify_only, quarantine, ignore_empty, zoned_as_utc, work_dir, jobs, quiet
    )  # fmt: skip
    try:
        with workplace.ends_when_told():
            sys.exit(run(options))
    except KeyboardInterrupt:
        click.echo("Error: interrupted; nothing was written, unless the commit had begun: then --verify-only tells", err=True)
        sys.exit(INTERRUPTED)
    except workplace.CannotWork as error:
        raise click.UsageError(str(error)) from None


def run(options: Options, say: Callable[[str], None] = click.echo) -> int:
    """One import, one comparison or one check; returns the exit code."""
    progress = Progress(options.quiet)
    done = Report(
        {"path": str(options.path.resolve()), "bytes": options.path.stat().st_size},
        decisions={
            "quarantine_orphans": str(options.quarantine) if options.quarantine else None,
            "ignore_empty": options.ignore_empty,
            "zoned_as_utc": options.zoned_as_utc,
        },
    )
    with workplace.made(options.work_dir, options.path) as folder, closing(Findings(folder / "findings.jsonl")) as findings:
        try:
            code = _run(options, folder, progress, done, findings)
        except source.Unusable as error:
            findings.add(error.finding)
            code = REFUSED
        except OSError as error:
            done.outcome, done.error = "refused", f"{error.filename or options.path}: {error.strerror or error}"
            code = USAGE
        except target.Unready as error:
            done.outcome, done.error, code = "unready", str(error), TARGET
        except load.Failed as error:
            done.outcome, done.error, code = ("unknown" if error.committed is None else "failed"), str(error), TARGET
        except load.Different as error:
            done.outcome, done.error, code = "different", str(error), DIFFERENT
        progress.end()
        done.seconds = progress.seconds
        if done.outcome == "would-migrate":
            done.expected_seconds = round(report.WHOLE * sum(done.seconds.values()), 1)
        done.peak_memory = _peak_memory()
        if options.report:
            done.write(options.report, findings)
        _show(options, done, findings, say)
    return code


def _run(options: Options, folder: Path, progress: Progress, done: Report, findings: Findings) -> int:
    source.check_version()
    progress.phase("look at the target")
    with target.connected(options.url) as connection:
        schema, done.target = _look(connection, options)
    progress.phase("take a snapshot")
    snapshot = source.take(options.path, folder)
    done.source["wal_bytes"] = snapshot.wal_bytes
    task = preflight.Task(snapshot, schema, folder, options.zoned_as_utc, options.quarantine is not None, options.jobs)
    found = preflight.run(
        task,
        findings,
        ignore_empty=options.ignore_empty,
        phase=progress.phase,
        rows=progress.rows,
    )
    done.source["revision"] = found.revision
    done.decisions["left_out"] = [extra.place for extra in found.left_out]
    done.decisions["put_aside"] = {
        table: {"rows": len(keys), "keys": keys[: report.KEYS]} for table, keys in found.aside_keys.items()
    }
    done.decisions["put_aside_by_reference"] = dict(found.aside)
    done.tables = {
        name: {"rows": each.rows, "bytes": each.bytes, "digest": each.digest, "equal": None} for name, each in found.reads.items()
    }
    if findings:
        done.outcome = "refused"
        return REFUSED
    if options.verify_only:
        progress.phase("compare")
        code = _compare(options, folder, schema, done)
    elif options.dry_run:
        done.outcome, code = "would-migrate", MIGRATED
    else:
        code = _load(options, task, folder, progress, done, found)
    if snapshot.changed():
        done.source["changed_since"] = True
        done.notes.append(f"{options.path} changed since the snapshot was taken; what was written since is not in it")
    return code


def _look(connection: object, options: Options) -> tuple[Schema, dict[str, object]]:
    """The target's schema, and what the report says of the target. Raises Unready."""
    with load.read_only(connection) as cursor:
        schema = target.read(cursor)
        cursor.execute("SELECT split_part(version(), ' on ', 1), current_database(), current_setting('TimeZone')")
        server, database, zone = cursor.fetchone()
        about = {"server": server, "database": database, "revision": schema.revisions[0], "session_zone": zone}
        if not options.verify_only:
            target.check_empty(cursor, schema)
    return schema, about


def _load(options: Options, task: preflight.Task, folder: Path, progress: Progress, done: Report, found: preflight.Result) -> int:
    aside = _put_aside(options, task, done)
    total, rows = sum(each.bytes for each in found.reads.values()), sum(each.rows for each in found.reads.values())
    gone = 0

    def sent(count: int) -> None:
        nonlocal gone
        gone += count
        progress.rows(int(rows * gone / total) if total else 0, rows)

    try:
        with target.connected(options.url) as connection:
            loaded = load.load(connection, task.schema, found.reads, folder, preflight.highest(task), progress.phase, sent)
    except BaseException as error:
        if aside and getattr(error, "committed", False) is False:
            shutil.rmtree(aside)
        raise
    for table in done.tables.values():
        table["equal"] = True
    done.sequences = [asdict(each) for each in loaded.sequences]
    done.notes += [
        f"{each.sequence} has given its greatest number; the next row is refused until the column is widened"
        for each in loaded.sequences
        if each.exhausted
    ]
    done.outcome = "migrated"
    return MIGRATED


def _put_aside(options: Options, task: preflight.Task, done: Report) -> Path | None:
    """Write the rows that are left out, before anything is committed. A new folder each time: nothing is written over."""
    if options.quarantine is None or task.orphans is None or not done.decisions["put_aside"]:
        return None
    folder = options.quarantine / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    with task.snapshot.open() as connection:
        task.orphans.attach(connection)
        done.decisions["put_aside_files"] = {
            str(folder / name): rows for name, rows in orphans.write(connection, task.schema.tables, folder).items()
        }
    return folder


def _compare(options: Options, folder: Path, schema: Schema, done: Report) -> int:
    """Compare every table with what the file says; name the rows where they differ."""
    with target.connected(options.url) as connection, load.read_only(connection) as cursor:
        for name, table in schema.tables.items():
            equal = done.tables[name]["equal"] = load.digest(cursor, table) == done.tables[name]["digest"]
            if equal:
                continue
            with tempfile.TemporaryFile(dir=folder) as theirs, (folder / f"{name}.copy").open("rb") as ours:
                load.copy_out(cursor, table, theirs.write)
                theirs.seek(0)
                done.differences += [asdict(each) for each in verify.differences(table, ours, theirs)]
    different = [name for name, table in done.tables.items() if not table["equal"]]
    if different:
        raise load.Different(f"the file and PostgreSQL differ in {', '.join(different)}")
    done.outcome = "equal"
    return MIGRATED


def _show(options: Options, done: Report, findings: Findings, say: Callable[[str], None]) -> None:
    if done.outcome in ("migrated", "equal", "would-migrate", "different") and not options.quiet:
        report.show_tables(done, say)
    for each in done.differences:
        say(f"{each['table']}[{each['key']}]: {each['what']} {', '.join(each['columns'])}".rstrip())
    if findings:
        click.echo(f"Error: {options.path} was refused for {len(findings):,} reason(s); nothing was written", err=True)
        report.show_findings(findings, lambda line: click.echo(line, err=True))
    elif done.error:
        click.echo(f"Error: {done.error}", err=True)
    if options.quiet:
        return
    for note in done.notes:
        say(f"note: {note}")
    if not findings:
        rows = sum(table["rows"] for table in done.tables.values())
        say(f"{done.outcome}: {report.OUTCOMES[done.outcome]} ({rows:,} rows, {sum(done.seconds.values()):.1f} s)")
    if done.expected_seconds is not None:
        say(f"a run takes about {done.expected_seconds:.0f} s on this machine")
    if options.report:
        say(f"report: {options.report}")


def _url(given: str | None) -> str:
    """The target as libpq takes it. Raises ValueError."""
    if given is None:
        try:
            return door.database_url(os.environ)
        except ValueError as error:
            raise ValueError(f"{error}; or give TARGET_URL") from None
    scheme, _, rest = given.partition("://")
    if scheme.split("+")[0] not in ("postgresql", "postgres") or not rest:
        raise ValueError("TARGET_URL is not the address of a PostgreSQL database: postgresql://USER@HOST:5432/NAME")
    return f"postgresql://{rest}"


def _peak_memory() -> int:
    """Bytes: this process, and twice the largest of those it started (all are of one kind). getrusage(2) counts kB."""
    own, other = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return 1024 * (own + 2 * other)
