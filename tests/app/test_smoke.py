"""`python -m app.smoke` tells whether this version survives what another version did to the schema."""

import enum
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from app import smoke
from app.models import Base
from app.models.base import JSONText
from tests.app.harness import HEAD, ROOT, Postgres, run_alembic

pytestmark = pytest.mark.slow

SURVIVED = {
    "a nullable column": "ALTER TABLE events ADD COLUMN room varchar",
    "a required column with a server default": "ALTER TABLE people ADD COLUMN pronouns varchar NOT NULL DEFAULT ''",
    "an index": "CREATE INDEX idx_new ON events (end_time)",
    "a table": "CREATE TABLE rooms (id serial PRIMARY KEY, org_id varchar NOT NULL REFERENCES organizations (id))",
    "a wider number": "ALTER TABLE holidays ALTER COLUMN id TYPE bigint",
    "a longer text": "ALTER TABLE subscriptions ALTER COLUMN plan_tier TYPE varchar(40)",
    "a default": "ALTER TABLE events ALTER COLUMN is_sample SET DEFAULT false",
}

# What was done, the table, and what the line says of it.
BROKEN = {
    "a table dropped": ("DROP TABLE sms_replies", "sms_replies", "does not exist"),
    "a table renamed": ("ALTER TABLE holidays RENAME TO days_off", "holidays", "does not exist"),
    "a nullable column dropped": ("ALTER TABLE events DROP COLUMN occurrence_sequence", "events", "occurrence_sequence"),
    "a required column dropped": ("ALTER TABLE teams DROP COLUMN name", "teams", "name"),
    "a column renamed": ("ALTER TABLE people RENAME COLUMN email TO mail", "people", "email"),
    "a required column added": ("ALTER TABLE resources ADD COLUMN floor integer NOT NULL", "resources", "floor"),
    "a column that is required now": ("ALTER TABLE people ALTER COLUMN email SET NOT NULL", "people", "email"),
    "a default dropped": ('ALTER TABLE audit_logs ALTER COLUMN "timestamp" DROP DEFAULT', "audit_logs", "timestamp"),
    "a number for a text": ("ALTER TABLE organizations ALTER COLUMN region TYPE integer USING NULL", "organizations", "integer"),
    "a text for a number": ("ALTER TABLE resources ALTER COLUMN capacity TYPE varchar", "resources", "int written, str read"),
    "a zone for a time": ("ALTER TABLE events ALTER COLUMN start_time TYPE timestamptz", "events", "start_time"),
    "a document for its text": (
        "ALTER TABLE events ALTER COLUMN extra_data TYPE jsonb USING extra_data::jsonb",
        "events",
        "reading",
    ),
    "a shorter text": ("ALTER TABLE sms_templates ALTER COLUMN message_type TYPE varchar(10)", "sms_templates", "too long"),
    "a smaller number": ("ALTER TABLE sms_usage ALTER COLUMN system_count TYPE smallint", "sms_usage", "smallint"),
    "a check that rows fail": ("ALTER TABLE events ADD CHECK (end_time > start_time)", "events", "violates check"),
    "rows that go nowhere": ("CREATE RULE r AS ON UPDATE TO teams DO INSTEAD NOTHING", "teams", "cannot be changed"),
    "rows that stay": ("CREATE RULE r AS ON DELETE TO audit_logs DO INSTEAD NOTHING", "audit_logs", "cannot be deleted"),
    "rows that are hidden": (
        "ALTER TABLE constraints RENAME TO kept; CREATE VIEW constraints AS SELECT * FROM kept WHERE weight > 9",
        "constraints",
        "is not there",
    ),
}


def run_smoke(url: str) -> subprocess.CompletedProcess[str]:
    """As a container of the live image runs it: nothing in the environment but the database."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    command = [sys.executable, "-m", "app.smoke"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def scratch(postgres: Postgres) -> Iterator[tuple[sa.Engine, str]]:
    url = postgres.create("smoke")
    assert run_alembic(url, "upgrade", "head").returncode == 0
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    yield engine, url
    engine.dispose()


def failures_after(scratch: tuple[sa.Engine, str], statements: str) -> dict[str, str]:
    """What fails when the schema is changed so; the change is rolled back."""
    with scratch[0].connect() as connection:
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)
        return smoke.failures(connection, Base.metadata)


@pytest.mark.parametrize("change", SURVIVED)
def test_us2_3_what_a_running_version_survives_passes(scratch: tuple[sa.Engine, str], change: str) -> None:
    assert failures_after(scratch, SURVIVED[change]) == {}


@pytest.mark.parametrize("change", BROKEN)
def test_us2_4_what_breaks_a_running_version_is_named(scratch: tuple[sa.Engine, str], change: str) -> None:
    statement, table, said = BROKEN[change]
    failed = failures_after(scratch, statement)
    assert said in failed[table]
    assert "\n" not in failed[table]
    # The other lines are of tables whose rows need one of this table, and of nothing else.
    assert all("which failed" in reason for name, reason in failed.items() if name != table)


def test_fr005_the_command_says_how_many_tables_work(scratch: tuple[sa.Engine, str]) -> None:
    engine, url = scratch
    result = run_smoke(url)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"tables": 34}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_us2_4_the_command_fails_with_a_line_for_each_table_and_leaves_no_trace(postgres: Postgres) -> None:
    url = postgres.create("smokebroken")
    assert run_alembic(url, "upgrade", "head").returncode == 0
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE people DROP COLUMN email; DROP TABLE teams CASCADE")
        cursor.execute("CREATE RULE r AS ON DELETE TO audit_logs DO INSTEAD NOTHING")
    result = run_smoke(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_logs")
        assert cursor.fetchone() == (0,), "what cannot be deleted is rolled back"
    connection.close()
    assert (result.returncode, result.stdout) == (1, "")
    lines = dict(line.split(": ", 1) for line in result.stderr.splitlines())
    assert 'column "email"' in lines["people"]
    assert 'relation "teams" does not exist' in lines["teams"]
    assert lines["event_teams"].startswith("needs a row of ")
    assert "cannot be deleted" in lines["audit_logs"]
    assert "organizations" not in lines


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite:///x.sqlite", "postgresql://app:3f9c1e7ab5d2486f90@127.0.0.1:1/x"])
def test_fr005_a_smoke_without_a_database_says_so_without_its_password(url: str) -> None:
    result = run_smoke(url)
    assert result.returncode == 1
    assert "DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr
    assert "3f9c1e7ab5d2486f90" not in result.stderr


class Color(enum.Enum):
    RED = "r"


def test_us2_4_mapped_enums_checks_and_types_are_honoured(scratch: tuple[sa.Engine, str]) -> None:
    metadata = sa.MetaData()
    sa.Table(
        "shapes",
        metadata,
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("color", sa.Enum(Color), nullable=False),
        sa.Column("size", sa.Enum("small", "large", name="size"), nullable=False),
        sa.Column("state", sa.String, sa.CheckConstraint("state IN ('it''s open', 'closed')"), nullable=False),
        sa.Column("sides", sa.Integer, sa.CheckConstraint("sides IN (3, 4)"), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("price", sa.Numeric(8, 2), nullable=False),
        sa.Column("opens", sa.Time, nullable=False),
        sa.Column("picture", sa.LargeBinary, nullable=False),
        sa.Column("note", JSONText, nullable=False),
        sa.CheckConstraint("count BETWEEN 1 AND 9"),
    )
    sa.Table("dots", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("odd", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("spell", sa.Interval, nullable=False))
    with scratch[0].connect() as connection:
        metadata.create_all(connection)
        failed = smoke.failures(connection, metadata)
    assert failed.keys() == {"odd"}, failed
    assert "no value is known for its type" in failed["odd"]


def upgraded_by(next_version: Path, url: str) -> subprocess.CompletedProcess[str]:
    """`alembic upgrade head` of a version with one migration more than this one."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    return subprocess.run(command, cwd=next_version, env=environment, capture_output=True, text=True, timeout=60, check=False)


def with_migration(directory: Path, source: str) -> Path:
    shutil.copy(ROOT / "alembic.ini", directory)
    shutil.copytree(ROOT / "alembic", directory / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "alembic" / "versions" / "next.py").write_text(source)
    return directory


MIGRATIONS = ROOT / "tests" / "faults" / "migrations"


@pytest.mark.parametrize(("name", "code"), [("adds", 0), ("drops", 1), ("breaks", 1)])
def test_us2_3_the_running_version_is_tried_on_what_the_next_one_makes(
    postgres: Postgres, tmp_path: Path, name: str, code: int
) -> None:
    url = postgres.create(f"next{name}")
    result = upgraded_by(with_migration(tmp_path, (MIGRATIONS / f"{name}.py").read_text()), url)
    assert result.returncode == 0, result.stderr
    tried = run_smoke(url)
    assert tried.returncode == code, tried.stderr
    assert ('events: column "occurrence_sequence"' in tried.stderr) == bool(code)


def test_ec2_a_migration_that_fails_half_way_leaves_nothing_and_its_details_are_told(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.create("nextfails")
    assert run_alembic(url, "upgrade", "head").returncode == 0
    result = upgraded_by(with_migration(tmp_path, (MIGRATIONS / "fails.py").read_text()), url)
    assert result.returncode != 0
    assert "division by zero" in result.stderr
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version_num, to_regclass('half_made') FROM alembic_version")
        assert cursor.fetchall() == [(HEAD, None)]
    connection.close()
    assert run_smoke(url).returncode == 0


def test_us2_4_a_migration_s_statements_and_locks_have_an_end(postgres: Postgres, tmp_path: Path) -> None:
    """Fails with what the server says, so that both settings can be read from it."""
    shown = "current_setting('statement_timeout') || ' ' || current_setting('lock_timeout')"
    source = (MIGRATIONS / "fails.py").read_text().replace("SELECT 1 / 0", f"SELECT ({shown})::integer")
    result = upgraded_by(with_migration(tmp_path, source), postgres.create("nextslow"))
    assert 'invalid input syntax for type integer: "4min 5s"' in result.stderr
