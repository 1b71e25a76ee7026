"""The schema that the migration makes is the existing application's, on SQLite and on PostgreSQL."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, inspect, text

from app.models import Base
from tests.app.harness import HEAD, REAL_FILE, REAL_SCHEMA, Postgres, run_alembic

pytestmark = pytest.mark.slow

COLUMNS = """
    SELECT table_name, column_name, data_type, column_default FROM information_schema.columns WHERE table_schema = 'public'
"""

Shape = dict[str, dict[str, object]]


def sqlite_shape(connection: sqlite3.Connection) -> Shape:
    """Every table's columns (in order, with type, nullability, default, key), foreign keys, unique constraints, indexes."""
    shape: Shape = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        unique, indexes = set(), {}
        for _, name, is_unique, origin, partial in connection.execute(f'PRAGMA index_list("{table}")').fetchall():
            columns = tuple(row[2] for row in connection.execute(f'PRAGMA index_info("{name}")'))
            if origin == "u":
                unique.add(columns)
            elif origin == "c":
                indexes[name] = (columns, is_unique, partial)
        shape[table] = {
            "columns": connection.execute(f'PRAGMA table_info("{table}")').fetchall(),
            "foreign keys": {row[2:] for row in connection.execute(f'PRAGMA foreign_key_list("{table}")')},
            "unique": unique,
            "indexes": indexes,
        }
    return shape


def test_us2_1_the_migration_gives_exactly_the_existing_sqlite_schema(migrated_file: Path) -> None:
    with sqlite3.connect(migrated_file) as ours, sqlite3.connect(":memory:") as real:
        real.executescript(REAL_SCHEMA.read_text())
        expected, found = sqlite_shape(real), sqlite_shape(ours)
        revision = ours.execute("SELECT version_num FROM alembic_version").fetchone()
    ours.close()
    real.close()
    assert len(expected) == 35
    assert found == expected
    assert revision == (HEAD,)


@pytest.mark.skipif(not REAL_FILE.exists(), reason="the existing application's file is not on this machine")
def test_us2_1_the_copied_schema_is_the_real_file_s(tmp_path: Path) -> None:
    copy = shutil.copy(REAL_FILE, tmp_path / "real.sqlite")
    Path(copy).chmod(0o600)
    with sqlite3.connect(copy) as file, sqlite3.connect(":memory:") as real:
        real.executescript(REAL_SCHEMA.read_text())
        assert sqlite_shape(file) == sqlite_shape(real)
    file.close()
    real.close()
    for arguments in (("upgrade", "head"), ("check",)):
        result = run_alembic(f"sqlite:///{copy}", *arguments)
        assert result.returncode == 0, result.stderr


def test_fr005_models_and_migrations_agree_on_sqlite_and_the_way_back_works(migrated_file: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'copy.sqlite')}"
    for arguments in (("check",), ("downgrade", "base"), ("upgrade", "head")):
        result = run_alembic(url, *arguments)
        assert result.returncode == 0, result.stderr


def test_fr005_models_and_migrations_agree_on_postgresql_and_the_way_back_works(postgres: Postgres) -> None:
    url = postgres.create("wayback")
    for arguments in (("upgrade", "head"), ("check",), ("downgrade", "base"), ("upgrade", "head")):
        result = run_alembic(url, *arguments)
        assert result.returncode == 0, result.stderr


def test_fr004_postgresql_types_sequences_and_counts(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection:
        columns = {(table, column): (kind, default) for table, column, kind, default in connection.execute(text(COLUMNS))}
        sequences = connection.scalar(text("SELECT count(*) FROM pg_sequences"))
        foreign_keys = connection.scalar(text("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"))
        tables = inspect(connection).get_table_names()
        indexes = sum(
            1 for table in tables for index in inspect(connection).get_indexes(table) if "duplicates_constraint" not in index
        )
    engine.dispose()
    assert (len(tables), sequences, foreign_keys, indexes) == (35, 21, 54, 83)
    assert columns["audit_logs", "timestamp"] == ("timestamp with time zone", "CURRENT_TIMESTAMP")
    with_zone = {key for key, (kind, _) in columns.items() if kind == "timestamp with time zone"}
    assert with_zone == {("audit_logs", "timestamp")}
    assert columns["audit_logs", "details"][0] == "json"
    assert columns["people", "roles"][0] == "text"
    assert columns["solutions", "is_published"] == ("boolean", "false")
    assert columns["solutions", "soft_score"][0] == "double precision"
    assert columns["people", "refresh_token_version"][0] == "integer"
    assert columns["availability_exceptions", "exception_date"][0] == "date"


def test_fr005_only_one_migration_at_a_time(postgres: Postgres) -> None:
    """Two at once on an empty database: both end well, because one waits for the other."""
    from concurrent.futures import ThreadPoolExecutor

    url = postgres.create("twoatonce")
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run_alembic(url, "upgrade", "head"), range(2)))
    assert [result.returncode for result in results] == [0, 0], [result.stderr for result in results]


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://app:3f9c1e7ab5d2486f90@127.0.0.1:1/x"])
def test_fr005_a_migration_without_a_database_says_so_in_one_line(url: str) -> None:
    result = run_alembic(url, "upgrade", "head")
    assert result.returncode != 0
    assert "DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr
    assert "3f9c1e7ab5d2486f90" not in result.stderr


def test_the_models_map_every_table_but_alembic_s_own() -> None:
    assert isinstance(Base.metadata, MetaData)
    assert len(Base.metadata.tables) == 34
