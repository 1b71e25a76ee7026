"""The database: engines, sessions, and what happens while the server is away.

A lost server is noticed by the first connection that fails. From then on requests are refused at once (a connection
attempt to a vanished host can hang in name resolution or in the network) while one background thread tries again twice
a second; its first success lets requests through. Connections that died in the pool are found by `pool_pre_ping`.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine, ExceptionContext, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool, StaticPool

from app.settings import Settings
from app.tenancy import TenantSession

RETRY_SECONDS = 0.5
# How long unacknowledged data may stand before the kernel gives the connection up (libpq's tcp_user_timeout).
UNACKNOWLEDGED_SECONDS = 5

logger = logging.getLogger(__name__)


class DatabaseUnavailableError(Exception):
    """The database cannot be reached now; the caller answers 503. Carries no driver text."""


class Database:
    """`tenant(org_id)` for requests, `probe()` for health. `last_success` is when it last answered (aware, UTC)."""

    def __init__(self, settings: Settings) -> None:
        # Of DB_CONNECTIONS one is the probe's (health and recovery have their own: a busy pool is not a lost database) and
        # one the listener's.
        self.max_connections = settings.db_connections - 2
        self.engine = _engine(settings, "signupflow", self.max_connections)
        self._probe_engine = _engine(settings, "signupflow-health", 1)
        self._settings = settings
        self._turns = asyncio.Semaphore(self.max_connections)
        self.last_success: dt.datetime | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._away = False
        event.listen(self.engine, "handle_error", self._on_error)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Holds one of as many turns as there are connections. Every request takes one before it opens a session.

        It waits in the event loop, where waiting costs nothing. Without it, requests wait for connections in worker threads,
        and the few that hold a connection then find no thread to go on in: all stand still until time runs out.
        Raises DatabaseUnavailableError when no turn comes within the time a connection may take.
        """
        try:
            await asyncio.wait_for(self._turns.acquire(), self._settings.db_connect_timeout + 1)
        except TimeoutError:
            raise DatabaseUnavailableError from None
        try:
            yield
        finally:
            self._turns.release()

    @contextlib.contextmanager
    def tenant(self, org_id: str) -> Iterator[Session]:
        """A session that sees and writes only this organisation's rows. The caller commits.

        Raises DatabaseUnavailableError at once while the server is known to be away.
        """
        if self._away:
            raise DatabaseUnavailableError
        with TenantSession(self.engine, org_id) as session:
            yield session
        self.last_success = dt.datetime.now(dt.UTC)

    @property
    def away(self) -> bool:
        """Whether the server is known to be out of reach; a background thread tries until it is not."""
        return self._away

    def probe(self) -> None:
        """One small query on the probe's own connection. Raises DatabaseUnavailableError; may block (bound it)."""
        try:
            with self._probe_engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise DatabaseUnavailableError from error
        self.last_success = dt.datetime.now(dt.UTC)

    def connect_listener(self) -> DBAPIConnection:
        """A new connection of psycopg2's own in autocommit, for LISTEN, with everything the requests' connections have from
        the URL (TLS) and the settings. There may be one at a time; the caller closes it. PostgreSQL only. Raises psycopg2's
        errors while the server is away."""
        positional, named = self.engine.dialect.create_connect_args(self.engine.url)
        arguments = {**named, **_connect_arguments(self._settings, "signupflow-listener")}
        connection = self.engine.dialect.connect(*positional, **arguments)
        connection.autocommit = True
        return connection

    def pool(self) -> dict[str, int]:
        """Connections of the requests' pool: active (in use), idle (open), max (the limit)."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            return {"active": 0, "idle": 0, "max": self.max_connections}
        return {"active": pool.checkedout(), "idle": pool.checkedin(), "max": self.max_connections}

    def close(self) -> None:
        self._closed.set()
        self.engine.dispose()
        self._probe_engine.dispose()

    def _on_error(self, context: ExceptionContext) -> None:
        # No connection yet: connecting itself failed. A full server (53300) is not an absent one, and then the
        # connections the pool already holds still work.
        connecting = context.connection is None and not context.is_pre_ping
        if connecting and "too many" not in str(context.original_exception) and "slots" not in str(context.original_exception):
            self._lost()

    def _lost(self) -> None:
        with self._lock:
            if self._away:
                return
            self._away = True
        logger.error("database lost")
        threading.Thread(target=self._recover, name="database-recovery", daemon=True).start()

    def _recover(self) -> None:
        while not self._closed.wait(RETRY_SECONDS):
            with contextlib.suppress(DatabaseUnavailableError):
                self.probe()
                self._away = False
                logger.warning("database back")
                return


def unavailable(error: BaseException) -> bool:
    """Whether a database error means that the server is away (lost, restarting, full), not that the statement is wrong."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    # psycopg2 leaves pgcode empty when it could not connect. Class 08 connection, 53 resources, 57 operator
    # intervention (shutdown, restart, statement timeout), 55P03 lock timeout (PostgreSQL manual, appendix A).
    code = getattr(error.orig, "pgcode", None)
    if type(error.orig).__module__.startswith("sqlite3"):
        return any(words in str(error.orig) for words in ("unable to open", "locked", "disk I/O"))
    if type(error).__name__ not in {"OperationalError", "InterfaceError"}:
        return False
    return code is None or code[:2] in {"08", "53", "57"} or code == "55P03"


def _engine(settings: Settings, application_name: str, size: int) -> Engine:
    """Never more than `size` connections: a caller waits for one, then fails."""
    url = make_url(settings.database_url.get_secret_value())
    # hide_parameters: values of a failed statement must not reach logs.
    common: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        if url.database in {None, "", ":memory:"}:
            engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False}, **common)
        else:
            pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": size, "max_overflow": 0, "pool_timeout": 5}
            engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 5}, **pool, **common)
        # Off by default in SQLite; on, development fails where PostgreSQL would.
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA foreign_keys=ON"))
        return engine
    return create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.db_connect_timeout + 1,
        pool_recycle=1800,
        connect_args=_connect_arguments(settings, application_name),
        **common,
    )


def _connect_arguments(settings: Settings, application_name: str) -> dict[str, Any]:
    """libpq's, for every connection. What the URL's query says (sslmode, sslrootcert) is not repeated here."""
    milliseconds = settings.db_statement_timeout * 1000
    return {
        "connect_timeout": settings.db_connect_timeout,
        "application_name": application_name,
        "options": f"-c timezone=UTC -c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
        f"-c idle_in_transaction_session_timeout={2 * milliseconds}",
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": UNACKNOWLEDGED_SECONDS * 1000,
    }
