"""US2.1, FR-004: a whole file into a whole database, through the program."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sqlite_import import command, orphans
from sqlite_import.schema import Column
from tests.app.harness import Postgres, postgres_binaries, run_alembic
from tests.sqlite_import.cases import CARRIED, REFUSED, Carried, Refusal, put, raw
from tests.sqlite_import.conftest import TEMPLATE, asked, assert_same, dump

pytestmark = pytest.mark.slow


def migrated(source: Path, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """The exit code and the report."""
    report = source.with_suffix(".json")
    code = command.run(command.Options(source, url, report, quiet=True, **options))
    return code, json.loads(report.read_text())


def changed(source: Path, change: Callable[[sqlite3.Connection], Any]) -> None:
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        change(connection)
        connection.commit()


def content(path: Path) -> dict[str, str]:
    """What lies in a file's folder under its name."""
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in path.parent.glob(f"{path.name}*")}


def test_us2_1_every_table_is_equal_and_the_file_is_left_as_it_was(source: Path, target: str) -> None:
    before = content(source)
    code, report = migrated(source, target)
    assert (code, report["outcome"], report["findings"]) == (0, "migrated", [])
    assert content(source) == before
    assert len(report["tables"]) == 34
    assert all(table["equal"] for table in report["tables"].values())
    with closing(sqlite3.connect(source)) as connection:
        for name, table in report["tables"].items():
            (count,) = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()
            assert asked(target, f'SELECT count(*) FROM "{name}"') == [(count,)] == [(table["rows"],)]
        rows = connection.execute("SELECT id, name, email, roles, is_sample, created_at FROM people ORDER BY id").fetchall()
    found = asked(target, 'SELECT id, name, email, roles, is_sample::int, created_at::text FROM people ORDER BY id COLLATE "C"')
    assert [(*row[:5], (row[5] or "").rstrip("0")) for row in rows] == [(*row[:5], (row[5] or "").rstrip("0")) for row in found]


def test_us2_1_keys_indexes_and_references_are_what_they_were(source: Path, target: str) -> None:
    def shape() -> str:
        return "".join(line for line in dump(target).decode().splitlines(True) if line.startswith(("ALTER", "CREATE", "    ADD")))

    before = shape()
    assert migrated(source, target)[0] == 0
    assert shape() == before


@pytest.fixture(scope="module")
def carried(server: Postgres, good_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """A database into which one file with every extreme value was moved, each in a row of its own; and those rows' keys."""
    source = Path(shutil.copy(good_file, tmp_path_factory.mktemp("carried") / "source.sqlite"))
    keys: dict[str, Any] = {}
    taken: Counter[str] = Counter()
    # A new key last: it may move its row among the others.
    for case in sorted(CARRIED, key=lambda case: case.column == "id"):
        row = taken[case.table]
        with closing(sqlite3.connect(source)) as connection:
            (key,) = connection.execute(f'SELECT id FROM "{case.table}" ORDER BY rowid LIMIT 1 OFFSET {row}').fetchone()
        changed(source, put(case.table, case.column, case.value, row=row))
        keys[case.name] = case.value if case.column == "id" else key
        taken[case.table] += 1
    url = server.create("carried", TEMPLATE)
    code, report = migrated(source, url)
    assert code == 0, report["findings"]
    return url, keys


@pytest.mark.parametrize("case", CARRIED, ids=lambda case: case.name)
def test_us2_1_an_extreme_value_arrives_exactly(case: Carried, carried: tuple[str, dict[str, Any]]) -> None:
    url, keys = carried
    assert asked(url, f"SELECT {case.column}::text FROM {case.table} WHERE id = %s", keys[case.name]) == [(case.seen,)]


@pytest.fixture(scope="module")
def untouched(server: Postgres) -> tuple[str, bytes]:
    """A database into which nothing may come, and what it holds."""
    url = server.create("untouched", TEMPLATE)
    return url, dump(url)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_us2_1_a_defect_is_named_and_nothing_is_written(case: Refusal, source: Path, untouched: tuple[str, bytes]) -> None:
    changed(source, case.change)
    target, before = untouched
    code, report = migrated(source, target)
    assert (code, report["outcome"]) == (1, "refused")
    assert [(found["code"], found["table"], found["column"]) for found in report["findings"]] == [
        (case.code, case.table, case.column)
    ] * len(report["findings"])
    assert report["findings"]
    assert all(found["reason"] and found["advice"] for found in report["findings"])
    assert_same(target, before)


def test_us2_1_all_findings_are_in_one_report(source: Path, target: str) -> None:
    for change in (
        put("people", "is_sample", 7),
        put("events", "start_time", "yesterday"),
        put("assignments", "event_id", "nowhere"),
        raw("UPDATE holidays SET id = id + 3000000000"),
    ):
        changed(source, change)
    code, report = migrated(source, target)
    counts: dict[str, int] = {}
    for found in report["findings"]:
        counts[found["code"]] = counts.get(found["code"], 0) + 1
    assert (code, counts) == (1, {"boolean": 1, "stamp-form": 1, "orphan": 1, "range": 30})


def test_us2_1_sequences_go_on_where_sqlite_was(source: Path, target: str) -> None:
    changed(source, raw(
        "UPDATE holidays SET id = -id",
        "DELETE FROM event_teams",
        "UPDATE payment_methods SET id = 2147483647 WHERE id = 5",
    ))  # fmt: skip
    code, report = migrated(source, target)
    assert code == 0
    nexts = {each["sequence"]: each for each in report["sequences"]}
    assert len(nexts) == 21
    assert nexts["holidays.id"]["value"] == 1
    assert nexts["event_teams.id"]["value"] == 1
    assert nexts["assignments.id"]["value"] == 815
    assert nexts["payment_methods.id"]["exhausted"]
    assert [note for note in report["notes"] if "payment_methods.id" in note]
    assert asked(
        target, "INSERT INTO event_teams (event_id, team_id) SELECT e.id, t.id FROM events e, teams t LIMIT 1 RETURNING id"
    ) == [(1,)]
    assert asked(
        target, "INSERT INTO team_members (team_id, person_id) SELECT t.id, p.id FROM teams t, people p LIMIT 1 RETURNING id"
    ) == [(151,)]


def test_us2_1_a_number_that_autoincrement_gave_once_is_not_given_again(source: Path, target: str) -> None:
    changed(source, raw("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", "DROP TABLE t",
                        "INSERT INTO sqlite_sequence VALUES ('holidays', 4711)"))  # fmt: skip
    code, report = migrated(source, target)
    assert code == 0, report
    assert next(each["value"] for each in report["sequences"] if each["sequence"] == "holidays.id") == 4712


def test_us2_1_a_second_run_finds_the_target_full_and_verify_only_finds_both_equal(source: Path, target: str) -> None:
    assert migrated(source, target)[0] == 0
    code, report = migrated(source, target)
    assert (code, report["outcome"]) == (3, "unready")
    assert "not empty" in report["error"]
    code, report = migrated(source, target, verify_only=True)
    assert (code, report["outcome"]) == (0, "equal")


def test_us2_1_verify_only_names_the_rows_that_differ(source: Path, target: str) -> None:
    assert migrated(source, target)[0] == 0
    asked(target, "UPDATE people SET name = 'somebody else' WHERE id = 'people-0000003'")
    asked(target, "DELETE FROM sms_replies WHERE id = 7")
    asked(target, "INSERT INTO teams (id, org_id, name, is_sample) SELECT 'zzz', id, 'new', false FROM organizations LIMIT 1")
    code, report = migrated(source, target, verify_only=True)
    assert (code, report["outcome"]) == (4, "different")
    assert {(each["table"], each["key"], each["what"], tuple(each["columns"])) for each in report["differences"]} == {
        ("people", "id=people-0000003", "different", ("name",)),
        ("sms_replies", "id=7", "only in the file", ()),
        ("teams", "id=zzz", "only in PostgreSQL", ()),
    }


def test_us2_1_a_dry_run_writes_nothing(source: Path, target: str, tmp_path: Path) -> None:
    changed(source, put("assignments", "event_id", "nowhere"))
    before = dump(target)
    code, report = migrated(source, target, dry_run=True, quarantine=tmp_path / "aside")
    assert (code, report["outcome"]) == (0, "would-migrate")
    assert report["expected_seconds"] > sum(report["seconds"].values()) > 0
    assert report["decisions"]["put_aside"] == {"assignments": {"rows": 1, "keys": ["id=1"]}}
    assert not (tmp_path / "aside").exists()
    assert_same(target, before)


def test_us2_1_orphans_are_put_aside_with_all_that_hangs_on_them_and_can_be_loaded_later(
    source: Path, target: str, tmp_path: Path
) -> None:
    # An event whose series is gone: its assignments, messages and replies hang on it.
    changed(source, raw("UPDATE events SET series_id = 'gone' WHERE id = 'events-0000004'"))
    with closing(sqlite3.connect(source)) as connection:
        (hanging,) = connection.execute("SELECT count(*) FROM assignments WHERE event_id = 'events-0000004'").fetchone()
    assert hanging
    assert migrated(source, target)[0] == 1
    code, report = migrated(source, target, quarantine=tmp_path / "aside")
    assert code == 0, report
    aside = report["decisions"]["put_aside"]
    assert aside["events"] == {"rows": 1, "keys": ["id=events-0000004"]}
    assert aside["assignments"]["rows"] == hanging
    assert report["decisions"]["put_aside_by_reference"]["events.series_id"] == 1
    written = {Path(name): rows for name, rows in report["decisions"]["put_aside_files"].items()}
    assert {path.name: rows for path, rows in written.items()} == {f"{name}.jsonl": each["rows"] for name, each in aside.items()}
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)
    asked(
        target,
        """INSERT INTO recurring_series
        (id, org_id, created_by, title, duration, pattern_type, start_date, end_condition_type, active)
        SELECT 'gone', o.id, p.id, 't', 1, 'w', '2026-01-01', 'never', true FROM organizations o, people p LIMIT 1""",
    )
    for path in sorted(written, key=lambda path: path.name != "events.jsonl"):
        table = path.stem
        for line in path.read_text().splitlines():
            asked(target, f"INSERT INTO {table} SELECT * FROM json_populate_record(NULL::{table}, %s)", line)
    with closing(sqlite3.connect(source)) as connection:
        for table in aside:
            assert (
                asked(target, f"SELECT count(*) FROM {table}") == connection.execute(f"SELECT count(*) FROM {table}").fetchall()
            )


def test_c14_rows_put_aside_are_loaded_as_they_were(source: Path, target: str, server: Postgres, tmp_path: Path) -> None:
    """The documented reload, in a session with a zone of its own, beside a file whose rows lead somewhere."""
    odd = {
        "solve_ms": "9e999", "soft_score": "-9e999", "health_score": "0.1",
        "created_at": "'2026-01-02 03:04:05.678901+05:30'", "published_at": "'2026-07-01T12:00:00Z'", "is_published": "1",
        "metrics": "'{\"a\": \"\\u00e9\",\n \"b\": 1.10}'",
    }  # fmt: skip
    change = ", ".join(f"{name} = {value}" for name, value in odd.items())
    here = "(SELECT id FROM organizations LIMIT 1)"
    changed(source, raw(f"UPDATE solutions SET {change}, org_id = {here} WHERE id = 1"))
    assert migrated(source, target, zoned_as_utc=True)[0] == 0
    whole = asked(target, "SELECT t::text FROM solutions AS t WHERE id = 1")
    changed(source, raw("UPDATE solutions SET org_id = 'gone' WHERE id = 1"))
    again = server.create("aside", template="template1")
    assert run_alembic(again, "upgrade", "head").returncode == 0
    code, report = migrated(source, again, quarantine=tmp_path / "aside")
    assert code == 0, report["findings"]
    asked(again, "INSERT INTO organizations SELECT (o).* FROM (SELECT json_populate_record(o, '{\"id\": \"gone\"}') AS o"
                 " FROM (SELECT o FROM organizations AS o LIMIT 1) AS x) AS y")  # fmt: skip
    (path,) = (Path(name) for name in report["decisions"]["put_aside_files"] if name.endswith("solutions.jsonl"))
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=_no_constant)
    load = f"""SET timezone = 'Asia/Kolkata';
    CREATE TEMP TABLE lines (line json);
    \\copy lines FROM '{path}' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')
    INSERT INTO solutions SELECT (json_populate_record(NULL::solutions, line)).* FROM lines;
    UPDATE solutions SET org_id = {here} WHERE id = 1;
    """.replace("\n    ", "\n")
    subprocess.run([postgres_binaries() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", again], input=load, text=True, check=True)
    assert asked(again, "SELECT t::text FROM solutions AS t WHERE id = 1") == whole


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@pytest.mark.parametrize(
    ("kind", "value", "line"),
    [
        ("json", b'{"a": 1.10,\n "a": 2}', '{"a": 1.10,  "a": 2}'),
        ("json", b"true", "true"),
        ("json", 5, "5"),
        ("json", b"{not json", '"{not json"'),
        ("timestamp with time zone", b"2026-01-02 03:04:05", '"2026-01-02 03:04:05+00"'),
        ("timestamp with time zone", b"2026-01-02 03:04:05+05:30", '"2026-01-01 21:34:05+00"'),
        ("timestamp without time zone", b"2026-01-02 03:04:05-01:00", '"2026-01-02 04:04:05"'),
        ("timestamp without time zone", b"yesterday", '"yesterday"'),
        ("double precision", float("inf"), '"Infinity"'),
        ("double precision", 5e-324, "5e-324"),
        ("text", b'Z\xc3\xb6e "x"\n', '"Zöe \\"x\\"\\n"'),
        ("text", None, "null"),
    ],
)
def test_c14_a_value_is_written_as_an_import_would_have_carried_it(kind: str, value: Any, line: str) -> None:
    assert orphans._value(Column("c", kind, True), bytearray(value) if isinstance(value, bytes) else value) == line


def test_us2_1_empty_extras_are_left_out_when_told_so_and_full_ones_never(source: Path, target: str) -> None:
    changed(source, raw("CREATE TABLE notes (a)", "ALTER TABLE people ADD COLUMN nickname"))
    assert migrated(source, target)[0] == 1
    changed(source, raw("INSERT INTO notes VALUES (1)"))
    code, report = migrated(source, target, ignore_empty=True)
    assert (code, [found["table"] for found in report["findings"]]) == (1, ["notes"])
    changed(source, raw("DELETE FROM notes"))
    code, report = migrated(source, target, ignore_empty=True)
    assert (code, sorted(report["decisions"]["left_out"])) == (0, ["notes", "people.nickname"])


def test_us2_1_zoned_times_are_written_as_utc_when_told_so(source: Path, target: str) -> None:
    changed(source, put("events", "start_time", "2026-01-01 10:00:00+02:00"))
    assert migrated(source, target, zoned_as_utc=True)[0] == 0
    assert asked(target, "SELECT start_time::text FROM events WHERE id = 'events-0000000'") == [("2026-01-01 08:00:00",)]


def test_us2_1_a_file_without_a_revision_is_taken_when_its_tables_match(source: Path, target: str) -> None:
    changed(source, raw("DROP TABLE alembic_version"))
    code, report = migrated(source, target)
    assert (code, report["source"]["revision"]) == (0, None)


def test_us2_1_what_lies_in_the_wal_comes_along(source: Path, target: str) -> None:
    writer = sqlite3.connect(source)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("UPDATE people SET name = 'from the WAL' WHERE id = 'people-0000000'")
    writer.commit()
    copy = source.with_name("copy.sqlite")
    for suffix in ("", "-wal"):
        shutil.copy(f"{source}{suffix}", f"{copy}{suffix}")
    writer.close()
    before = {name: digest for name, digest in content(copy).items() if not name.endswith("-shm")}
    code, report = migrated(copy, target)
    assert (code, report["source"]["wal_bytes"] > 0) == (0, True)
    assert asked(target, "SELECT name FROM people WHERE id = 'people-0000000'") == [("from the WAL",)]
    assert {name: digest for name, digest in content(copy).items() if name in before} == before


def test_us2_1_secrets_and_long_values_are_not_in_the_report(
    source: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(source, raw("UPDATE people SET password_hash = 'marker-7f3a' || char(0), name = CAST(x'ff' AS TEXT)"))
    report = source.with_suffix(".json")
    assert command.run(command.Options(source, target, report)) == 1
    said = "".join(capsys.readouterr()) + report.read_text()
    assert "marker-7f3a" not in said
    assert "not shown" in said
    assert "3f9c1e7ab5d2486f90" not in said


def test_us2_1_two_processes_find_what_one_finds(source: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files are read by two; here every file is large."""
    for change in (put("people", "is_sample", 7), put("events", "start_time", "now"), put("assignments", "event_id", "nowhere")):
        changed(source, change)
    _, alone = migrated(source, target)
    monkeypatch.setattr("sqlite_import.preflight.SMALL", 0)
    code, together = migrated(source, target)
    assert code == 1
    assert together["findings"] == alone["findings"]
    changed(
        source,
        raw(
            "UPDATE people SET is_sample = 0",
            "UPDATE events SET start_time = end_time",
            "DELETE FROM assignments WHERE event_id = 'nowhere'",
        ),
    )
    assert migrated(source, target)[0] == 0


def test_us2_1_two_processes_refuse_a_corrupt_file(source: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite_import.preflight.SMALL", 0)
    with source.open("r+b") as file:
        file.seek(40 * 4096)
        file.write(b"\xff" * 4096)
    code, report = migrated(source, target)
    assert code == 1
    assert "corrupt" in {found["code"] for found in report["findings"]}
