"""uvicorn, set up for one worker behind our own proxy. Replicas, not workers: uvicorn does not replace a dead worker."""

import asyncio
import signal
import socket
import time
from types import FrameType

import uvicorn

from app.lifecycle import Lifecycle
from app.main import create_app
from app.settings import Settings
from app.stream.hub import Hub
from app.stream.routes import API_PATH, PAGE_PATH

# What a stream's client gets to take the goodbye. One that takes nothing would hold the process until the grace ends.
GOODBYE_SECONDS = 2.0


class DrainingServer(uvicorn.Server):
    """On SIGTERM `/health/ready` turns to 503 while everything is still served, for `drain_seconds`, so that whoever routes
    here can notice; then uvicorn closes its listener and finishes what is in flight. A second signal, or SIGINT (a person
    at a terminal), does not wait.

    Live streams never end by themselves. They are told goodbye when the listener closes, not at the signal: by then the
    proxy sends nothing here any more, so that browsers which connect again find another replica."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, hub: Hub, drain_seconds: int) -> None:
        super().__init__(config)
        self._lifecycle, self._hub, self._drain_seconds = lifecycle, hub, drain_seconds
        self._closes_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        first = not self._lifecycle.draining
        self._lifecycle.draining = True
        if sig == signal.SIGTERM and first:
            self._closes_at = time.monotonic() + self._drain_seconds
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._closes_at is not None and time.monotonic() >= self._closes_at:
            # Not uvicorn's handle_exit: that repeats the signal at the end, and an orderly stop is no death by a signal.
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._abort_streams)
        await super().shutdown(sockets)

    def _abort_streams(self) -> None:
        for connection in list(self.server_state.connections):
            scope = getattr(connection, "scope", None)
            if scope is not None and scope["path"] in {API_PATH, PAGE_PATH}:
                connection.transport.abort()


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT. Exit code 0 after an ordinary stop, 1 when the server could not start."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - a container is reached from outside itself; what is published is the deploy's
        port=settings.port,
        log_config=None,
        access_log=False,  # app.middleware writes the request lines
        server_header=False,
        proxy_headers=False,  # app.client_address believes TRUSTED_PROXIES only, and from the right
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=settings.shutdown_grace,
    )
    server = DrainingServer(config, app.state.lifecycle, app.state.hub, settings.drain_seconds)
    try:
        server.run()
    except KeyboardInterrupt:  # uvicorn repeats the signal after its orderly stop
        return 128 + signal.SIGINT
    return 0 if server.started else 1
