"""Runs migrations on the database that DATABASE_URL (or DATABASE_URL_FILE) names; no other setting is needed.

On PostgreSQL: one migration at a time (an advisory lock), all revisions in one transaction, `lock_timeout`, so that a
migration that cannot get a table fails instead of queueing in front of every request, and `statement_timeout`, so that one
that would take too long fails while it can still be rolled back.
"""

import logging
import os
import sqlite3
import sys

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from alembic import context
from app.migration_url import migration_url
from app.models import Base
from app.settings import SettingsError

# Any number, the same in every release: it names the lock.
ADVISORY_LOCK = 7_468_311
LOCK_TIMEOUT = "5s"
# Of each statement: the schema must be updated in under 5 minutes (SPEC.md).
STATEMENT_TIMEOUT = "240s"
# How long to wait for another migration.
ADVISORY_TIMEOUT = "240s"


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
    try:
        url = migration_url(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    if context.is_offline_mode():
        context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    arguments = (
        {"application_name": "signupflow-migration", "connect_timeout": 10} if url.drivername.startswith("postgresql") else {}
    )
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    try:
        connection = engine.connect()
    except OperationalError:
        # The driver's text names hosts and users; what to look at is the URL and the server.
        sys.exit("cannot connect to the database that DATABASE_URL names; nothing was changed")
    with connection:
        if connection.dialect.name == "postgresql":
            _postgresql(connection)
        else:
            _sqlite_transactions(connection)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=False,
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()


def _postgresql(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{ADVISORY_TIMEOUT}'"))
    # A session lock: it outlives the transaction and goes with the connection.
    connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": ADVISORY_LOCK})
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.execute(text("SET timezone = 'UTC'"))
    connection.commit()


def _sqlite_transactions(connection: Connection) -> None:
    # The driver would commit before each CREATE; opened by hand, the whole migration is one transaction here too.
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.isolation_level = None
    event.listen(connection, "begin", lambda opened: opened.exec_driver_sql("BEGIN IMMEDIATE"))


main()
