"""How this process hears of committed changes: LISTEN on PostgreSQL, or its own commits on SQLite."""

import asyncio
import contextlib
import logging
import os
import random
import select
import threading
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.database import Database
from app.stream.hub import Hub
from app.stream.publish import CHANNEL, PENDING, Change
from app.tenancy import TenantSession

# A quiet connection is asked for a sign of life this often: a vanished server sends no word of it.
PROBE_SECONDS = 10
FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 10.0

logger = logging.getLogger(__name__)

# Gives a connection of psycopg2's, in autocommit, that nobody else uses. Raises when the server is away.
Connect = Callable[[], Any]


class Feed(Protocol):
    """`start` once, on the event loop's thread; `stop` once after it."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None: ...

    def stop(self) -> None: ...


def feed_of(database: Database, hub: Hub) -> Feed:
    if database.engine.dialect.name == "postgresql":
        return ListenFeed(database.connect_listener, hub)
    return CommitFeed(database.engine, hub)


class ListenFeed:
    """One connection and one thread, whatever the number of streams. It outlives the server's absences: from the loss on
    streams are `paused`, after the return they `resync`, so that nothing is missed silently."""

    def __init__(self, connect: Connect, hub: Hub) -> None:
        self._connect, self._hub = connect, hub
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wake_read, self._wake_write = os.pipe()
        self._thread.start()

    def stop(self) -> None:
        # Before the flag: once that is set the thread may end and close the pipe.
        os.write(self._wake_write, b"x")
        self._stopping.set()
        # It may hang in a connection attempt. It is a daemon: the process does not wait for it any longer than this.
        self._thread.join(1)

    def _run(self) -> None:
        retry = FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    with connection.cursor() as cursor:
                        cursor.execute(f"LISTEN {CHANNEL}")
                    logger.info("listening for changes")
                    retry = FIRST_RETRY_SECONDS
                    self._on_loop(self._hub.resync)
                    self._listen(connection)
            except Exception as error:
                # Whatever it is: without this thread no stream would hear anything again.
                logger.warning("changes cannot be heard", exc_info=error)
                self._on_loop(self._hub.pause)
                # Jitter: all replicas lose the server at the same moment.
                self._stopping.wait(retry * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
                retry = min(retry * 2, LAST_RETRY_SECONDS)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _listen(self, connection: Any) -> None:
        # poll, not select: the number of this socket may exceed what select can watch (1024).
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while not self._stopping.is_set():
            if not poll.poll(PROBE_SECONDS * 1000):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            connection.poll()
            while connection.notifies:
                self._deliver(connection.notifies.pop(0).payload)

    def _deliver(self, payload: str) -> None:
        try:
            change = Change.decoded(payload)
        except ValueError:
            logger.warning("a change that this release does not understand")
            self._on_loop(self._hub.resync)
        else:
            self._on_loop(self._hub.deliver, change)

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(function, *arguments)


class CommitFeed:
    """For SQLite, which has one process: hears the commits of this process's own sessions on `engine`."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine, self._hub = engine, hub

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        event.listen(TenantSession, "after_commit", self._committed)
        event.listen(TenantSession, "after_rollback", self._rolled_back)

    def stop(self) -> None:
        event.remove(TenantSession, "after_commit", self._committed)
        event.remove(TenantSession, "after_rollback", self._rolled_back)

    def _committed(self, session: Session) -> None:
        if session.get_bind() is self._engine:
            for change in session.info.pop(PENDING, ()):
                self._loop.call_soon_threadsafe(self._hub.deliver, change)

    def _rolled_back(self, session: Session) -> None:
        if session.get_bind() is self._engine:
            session.info.pop(PENDING, None)
