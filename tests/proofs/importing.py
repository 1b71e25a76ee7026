"""The move from SQLite, in full: the real file, mutated files, speed, memory, kills, faults. On a PostgreSQL of its own."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import bcrypt

from lab.client import ROOT
from lab.waiting import wait_for
from tests.app.harness import PASSWORD, REAL_FILE, Postgres, development, postgres_binaries, run_alembic, serving
from tests.sqlite_import import files
from tests.sqlite_import.cases import CARRIED, REFUSED, put
from tests.sqlite_import.conftest import asked, dump
from tests.sqlite_import.test_source import fuzz

Evidence = dict[str, Any]
PROGRAM = ROOT / "scripts" / "migrate_sqlite_to_postgres.py"
ZONES = ("UTC", "Asia/Shanghai")
TEMPLATE = "built"
# Times the real file's rows: 1.4 million.
LARGE = 590
GOAL_ROWS_PER_SECOND = 47_000
# What a server of a small company has: twice the shipped default is little.
MEMORY = ("shared_buffers=512MB", "max_wal_size=4GB")


class Machine:
    """A PostgreSQL server with the schema in a template, and a folder for files."""

    def __init__(self, folder: Path, server: Postgres) -> None:
        self.folder, self.server, self._made = folder, server, 0

    def target(self) -> str:
        self._made += 1
        return self.server.create(f"t{self._made}", TEMPLATE)

    def large(self, times: int = LARGE) -> tuple[Path, int]:
        path = self.folder / "large.sqlite"
        path.unlink(missing_ok=True)
        result = run_alembic(f"sqlite:///{path}", "upgrade", "head")
        assert result.returncode == 0, result.stderr
        return path, files.fill(path, times)


@contextmanager
def machine(zone: str = "UTC", *settings: str, data: Path | None = None) -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="signupflow-proof-") as name, tempfile.TemporaryDirectory() as folder:
        directory = data or Path(name)
        directory.chmod(0o755)
        server = Postgres(directory, postgres_binaries())
        server.start(zone, *settings)
        try:
            # Ordered by bytes, as the shipped image's databases are (DECISIONS: builtin C.UTF-8, which this server may not know).
            built = server.create(TEMPLATE, "template0", "--lc-collate=C")
            result = run_alembic(built, "upgrade", "head")
            assert result.returncode == 0, result.stderr
            yield Machine(Path(folder), server)
        finally:
            server.stop("immediate")


def program(source: Path, target: str, *options: str, report: Path | None = None) -> tuple[int, Evidence, str]:
    """Exit code, report and what was said."""
    report = report or source.with_suffix(".report.json")
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, PROGRAM, source, target, "--report", report, *options], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(report.read_text()) if report.exists() else {}, done.stdout + done.stderr


def the_real_file() -> Evidence:
    """All tables equal, by the digests and by comparing every value in another way; then the app works on it."""
    found = {}
    for zone in ZONES:
        with machine(zone) as here:
            source = Path(shutil.copy(REAL_FILE, here.folder / "real.sqlite"))
            source.chmod(0o600)
            target = here.target()
            code, report, said = program(source, target)
            assert code == 0, said
            same = {name: _same_by_value(source, target, name) for name in report["tables"]}
            version = asked(target, "SELECT version_num FROM alembic_version")
            with closing(sqlite3.connect(source)) as connection:
                same["alembic_version"] = connection.execute("SELECT version_num FROM alembic_version").fetchall() == version
            assert len(same) == 35, len(same)
            assert all(same.values()), same
            assert all(table["equal"] for table in report["tables"].values())
            assert program(source, target, "--verify-only")[0] == 0
            checked = run_alembic(target, "check")
            assert checked.returncode == 0, checked.stdout + checked.stderr
            inserted = every_sequence_gives(target)
            found[zone] = {
                "tables_equal": sum(same.values()),
                "rows": sum(table["rows"] for table in report["tables"].values()),
                "seconds": report["seconds"],
                "alembic_check": "clean",
                "sequences_that_gave_a_next_number": inserted,
                "app": _app_works(target),
                "compared_again_by_verify_only": "equal",
                "compared_after_the_app_wrote": program(source, target, "--verify-only")[0],
            }
    return {"by_server_zone": found}


def _same_by_value(source: Path, target: str, table: str) -> bool:
    """Every value of a table as both databases' own texts have it: another way than the program's digests."""
    columns = asked(
        target,
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s ORDER BY 1",
        table,
    )
    names = [name for name, _ in columns]
    listed = ", ".join(f'"{name}"' for name in names)
    texts = ", ".join(f'"{name}"::text' for name in names)
    with closing(sqlite3.connect(source)) as connection:
        ours = [tuple(map(_text, row, columns)) for row in connection.execute(f'SELECT {listed} FROM "{table}"')]
    return sorted(ours, key=repr) == sorted(asked(target, f'SELECT {texts} FROM "{table}"'), key=repr)


def _text(value: Any, column: tuple[str, str]) -> str | None:
    """A value of SQLite as PostgreSQL writes it."""
    kind = column[1]
    if value is None:
        return None
    if kind == "boolean":
        return {0: "false", 1: "true"}[value]
    if kind.startswith("timestamp"):
        text = value.rstrip("0").rstrip(".") if "." in value else value
        return f"{text}+00" if kind.endswith("with time zone") else text
    if kind == "double precision":
        return str(int(value)) if value == int(value) else repr(value)
    return str(value)


def every_sequence_gives(target: str) -> int:
    """One more row in each table that numbers its rows by itself: a copy of one that is there, made unique."""
    sequences = asked(
        target,
        """SELECT t.relname, a.attname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a'
        JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
        WHERE s.relkind = 'S' ORDER BY 1""",
    )
    for table, key in sequences:
        unique = {
            name
            for (columns,) in asked(
                target,
                """SELECT array_agg(a.attname::text) FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid
                AND a.attnum = ANY (c.conkey) WHERE c.conrelid = %s::regclass AND c.contype = 'u' GROUP BY c.oid""",
                table,
            )
            for name in columns
        }
        columns = [
            name
            for (name,) in asked(
                target,
                "SELECT column_name::text FROM information_schema.columns "
                "WHERE table_schema = 'public' AND table_name = %s AND column_name <> %s",
                table,
                key,
            )
        ]
        foreign = dict(_references(target, table))
        taken = [_another(name, table, foreign.get(name)) if name in unique else f't."{name}"' for name in columns]
        listed = ", ".join(f'"{name}"' for name in columns)
        (before,) = asked(target, f'SELECT coalesce(max("{key}"), 0) FROM "{table}"')[0]
        ((given,),) = asked(
            target, f'INSERT INTO "{table}" ({listed}) SELECT {", ".join(taken)} FROM "{table}" t LIMIT 1 RETURNING "{key}"'
        )
        assert given == before + 1, (table, given, before)
    return len(sequences)


def _references(target: str, table: str) -> list[tuple[Any, ...]]:
    return asked(
        target,
        """SELECT a.attname::text, c.confrelid::regclass::text FROM pg_constraint c JOIN pg_attribute a
        ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.conrelid = %s::regclass AND c.contype = 'f'""",
        table,
    )


def _another(name: str, table: str, parent: str | None) -> str:
    """A value that is not there yet: a parent's row that nobody refers to, or a text nobody wrote."""
    if parent:
        return f'(SELECT p.id FROM "{parent}" p WHERE NOT EXISTS (SELECT 1 FROM "{table}" c WHERE c."{name}" = p.id) LIMIT 1)'
    return "left(md5(random()::text), 30)"


def _app_works(target: str) -> list[str]:
    """An existing person signs in with a hash of the old kind, and creates, signs up and deletes."""
    known = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(12)).decode()
    person, org, email, stored = asked(
        target,
        """SELECT id, org_id, email, password_hash FROM people
        WHERE password_hash IS NOT NULL AND roles LIKE '%%admin%%' LIMIT 1""",
    )[0]
    # Nobody knows the passwords: one of the same kind for a known one is put in its place.
    assert stored.startswith("$2b$12$")
    asked(target, "UPDATE people SET password_hash = %s WHERE id = %s", known, person)
    did = []
    with serving(development(target)) as (client, _):
        answer = client.post("/api/v1/sessions", json={"organization": org, "email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        did.append("an existing person signed in by a hash of the old kind")
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        wanted = {"type": "service", "start_time": "2027-01-03T09:00:00Z", "end_time": "2027-01-03T11:00:00Z"}
        made = client.post("/api/v1/events", headers=headers, json=wanted)
        assert made.status_code == 201, made.text
        event = made.json()["id"]
        did.append("created an event")
        signed = client.post(f"/api/v1/events/{event}/sign-ups", headers=headers, json={})
        assert signed.status_code == 201, signed.text
        did.append("signed up for it")
        gone = client.delete(f"/api/v1/events/{event}", headers=headers)
        assert gone.status_code in (200, 204), gone.text
        did.append("deleted it")
        for path in ("/api/v1/people?limit=200", "/api/v1/teams?limit=200", f"/api/v1/organizations/{org}"):
            assert client.get(path, headers=headers).status_code == 200
    return did


def by_class() -> Evidence:
    """Every class of defect and every extreme value, a file each, through the program: refused and named, or carried exactly."""
    found: Evidence = {"carried": {}, "refused": {}}
    with machine() as here:
        good, _ = here.large(1)
        for case in CARRIED:
            source, target = _changed(good, case.name, put(case.table, case.column, case.value)), here.target()
            code, report, said = program(source, target)
            assert code == 0, (case.name, said)
            seen = asked(target, f"SELECT {case.column}::text FROM {case.table} WHERE id = %s", case.key)
            assert seen == [(case.seen,)], (case.name, seen)
            found["carried"][case.name] = f"{case.table}.{case.column}"
        target = here.target()
        before = dump(target)
        for refusal in REFUSED:
            code, report, said = program(_changed(good, refusal.name, refusal.change), target)
            places = {(each["code"], each["table"], each["column"]) for each in report["findings"]}
            assert (code, places) == (1, {(refusal.code, refusal.table, refusal.column)}), (refusal.name, said)
            assert "Traceback" not in said, said
            assert dump(target) == before, refusal.name
            place = ".".join(part for part in (refusal.table, refusal.column) if part) or "the file"
            found["refused"][refusal.name] = f"{refusal.code}: {place}"
    return {"carried_exactly": len(CARRIED), "refused_and_named": len(REFUSED), "target_identical": True, **found}


def _changed(good: Path, name: str, change: Callable[[sqlite3.Connection], Any]) -> Path:
    path = Path(shutil.copy(good, good.with_name(f"{name}.sqlite")))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        change(connection)
        connection.commit()
    return path


def by_fuzz(mutations: int = 10_000) -> Evidence:
    """Mutated files; an exception anywhere fails the proof."""
    with machine() as here:
        path, _ = here.large(1)
        began = time.monotonic()
        codes = fuzz(path, here.target(), here.folder, range(mutations))
        assert codes.keys() <= {0, 1}, codes
        return {"mutations": mutations, "refused": codes.get(1, 0), "taken": codes.get(0, 0), "tracebacks": 0,
                "seconds": round(time.monotonic() - began, 1)}  # fmt: skip


def speed(times: int = LARGE) -> Evidence:
    """Rows per second and memory, beside pgloader into the same schema when it is installed."""
    with machine("UTC", *MEMORY) as here:
        path, rows = here.large(times)
        ours = []
        for _ in range(3):
            target = here.target()
            with _memory() as memory:
                began = time.monotonic()
                code, report, said = program(path, target)
                took = time.monotonic() - began
            assert code == 0, said
            ours.append(
                {
                    "seconds": round(took, 1),
                    "rows_per_second": round(rows / took),
                    "peak_mb": round(memory[0] / 2**20),
                    "parts": report["seconds"],
                }
            )
        evidence = {
            "rows": rows,
            "file_mb": round(path.stat().st_size / 2**20),
            "runs": ours,
            "median_rows_per_second": statistics.median(run["rows_per_second"] for run in ours),
            "pgloader": _pgloader(here, path, rows),
        }
        assert evidence["median_rows_per_second"] >= GOAL_ROWS_PER_SECOND, evidence
        return evidence


def _pgloader(here: Machine, path: Path, rows: int) -> Evidence | str:
    if not shutil.which("pgloader"):
        return "not installed"
    target = here.target()
    commands = here.folder / "pgloader.load"
    commands.write_text(
        f"LOAD DATABASE FROM sqlite://{path} INTO {target}\n"
        "WITH data only, include no drop, reset sequences, disable triggers, workers = 2, concurrency = 1\n"
        "EXCLUDING TABLE NAMES LIKE 'alembic_version';\n"
    )
    with _memory() as memory:
        began = time.monotonic()
        done = subprocess.run(["pgloader", commands], capture_output=True, text=True, check=False)
        took = time.monotonic() - began
    loaded = sum(asked(target, f'SELECT count(*) FROM "{name}"')[0][0] for name in files.REAL)
    return {
        "seconds": round(took, 1),
        "rows_per_second": round(rows / took),
        "peak_mb": round(memory[0] / 2**20),
        "exit": done.returncode,
        "rows_loaded": loaded,
    }


@contextmanager
def _memory() -> Iterator[list[int]]:
    """The greatest sum of the memory of what this process started: proportional sizes (PSS), so that nothing counts twice."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            peak[0] = max(peak[0], sum(map(_pss, _below(os.getpid()))))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _below(parent: int) -> list[int]:
    """The processes under this one, PostgreSQL's left out: it was started by pg_ctl and is nobody's child here."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue
        children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(status.parent.name))
    found, waiting = [], [parent]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


def _pss(process: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def killed(moments: int = 20, times: int = 60) -> Evidence:
    """SIGKILL at random moments of a run, then a run that succeeds; a connection that is cut; a disk that is full."""
    dice = random.Random(4711)
    rows = []
    with machine() as here:
        path, _ = here.large(times)
        began = time.monotonic()
        assert program(path, here.target())[0] == 0
        whole = time.monotonic() - began
        target = here.target()
        before = dump(target)
        for _ in range(moments):
            moment = dice.uniform(0.05, 0.98)
            process = subprocess.Popen(
                [sys.executable, PROGRAM, path, target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(timeout=whole * moment)
            except subprocess.TimeoutExpired:
                process.kill()
            ended = process.wait()
            _nobody_imports(target)
            as_before = dump(target) == before
            rows.append({"share_of_the_run": round(moment, 2), "killed": ended == -9, "target_as_before": as_before})
            if not as_before:
                # It had committed before it was killed, or was not killed: then every row is there.
                code, _, said = program(path, target, "--verify-only")
                assert code == 0, (rows[-1], said)
                target = here.target()
        code, _, said = program(path, target)
        assert code == 0, said
        cut = _connection_cut(path, here)
    return {
        "seconds_of_a_run": round(whole, 1),
        "kills": rows,
        "next_run": "migrated",
        "connection_cut": cut,
        "disk_full": _disk_full(),
    }


def _nobody_imports(target: str) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'signupflow-sqlite-import'"
    wait_for(lambda: asked(target, query) == [(0,)], 60, "the server still has the program's connection")


def _connection_cut(path: Path, here: Machine) -> Evidence:
    """The server ends the session in the middle of the load."""
    target = here.target()
    before = dump(target)
    stop = threading.Event()

    query = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'signupflow-sqlite-import' AND query LIKE 'COPY%%assignments%%STDIN%%'"""

    def cut() -> None:
        while not stop.wait(0.01) and asked(target, query) == [(0,)]:
            pass

    thread = threading.Thread(target=cut)
    thread.start()
    code, report, said = program(path, target)
    stop.set()
    thread.join()
    assert code == 3, said
    assert dump(target) == before
    assert program(path, target)[0] == 0
    return {"exit": code, "said": report["error"], "target_as_before": True, "next_run": "migrated"}


def _disk_full(megabytes: int = 160) -> Evidence:
    """The server's data on a file system that the load does not fit into."""
    with tempfile.TemporaryDirectory(prefix="signupflow-full-") as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", name], check=True)
        try:
            with machine("UTC", "max_wal_size=64MB", "wal_recycle=off", data=Path(name)) as here:
                path, rows = here.large(100)
                target = here.target()
                before = dump(target)
                code, report, said = program(path, target)
                assert code == 3, said
                assert "disk is full" in report["error"], report["error"]
                assert dump(target) == before
                small, _ = here.large(1)
                assert program(small, target)[0] == 0
        finally:
            subprocess.run(["umount", "-l", name], check=True)
    return {"megabytes": megabytes, "rows": rows, "exit": code, "said": report["error"], "target_as_before": True,
            "next_run_of_a_smaller_file": "migrated"}  # fmt: skip


def beside_a_writer(times: int = 60) -> Evidence:
    """Somebody writes two rows in each transaction, all the time: the snapshot has as many of both, and the report says so."""
    with machine() as here:
        path, rows = here.large(times)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        stop, written = threading.Event(), [0]

        def write() -> None:
            with closing(sqlite3.connect(path, timeout=60)) as connection:
                while not stop.is_set():
                    key = f"w{written[0]:09}"
                    with connection:
                        connection.execute(
                            "INSERT INTO teams (id, org_id, name, is_sample) VALUES (?, 'organizations-0000000', 'w', 0)", (key,)
                        )
                        connection.execute(
                            "INSERT INTO resources (id, org_id, type, location) VALUES (?, 'organizations-0000000', 'w', 'w')",
                            (key,),
                        )
                    written[0] += 1

        writer = threading.Thread(target=write)
        writer.start()
        target = here.target()
        try:
            code, report, said = program(path, target)
        finally:
            stop.set()
            writer.join()
        assert code == 0, said
        assert report["source"]["changed_since"] is True
        (teams,), (resources,) = asked(
            target, "SELECT count(*) FROM teams WHERE id LIKE 'w%%' UNION ALL SELECT count(*) FROM resources WHERE id LIKE 'w%%'"
        )
        assert teams == resources
        return {
            "rows": rows,
            "written_in_all": written[0],
            "in_the_snapshot": [teams, resources],
            "note": report["notes"][0].partition(" changed")[2],
        }
