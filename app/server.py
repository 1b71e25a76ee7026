"""uvicorn, set up for one worker behind our own proxy. Replicas, not workers: uvicorn does not replace a dead worker."""

import signal
from types import FrameType

import uvicorn

from app.lifecycle import Lifecycle
from app.main import create_app
from app.settings import Settings


class DrainingServer(uvicorn.Server):
    """Turns `/health/ready` to 503 the moment a stop is asked for, before uvicorn closes its listener."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._lifecycle.draining = True
        super().handle_exit(sig, frame)


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
    server = DrainingServer(config, app.state.lifecycle)
    try:
        server.run()
    except KeyboardInterrupt:  # uvicorn repeats the signal after its orderly stop
        return 128 + signal.SIGINT
    return 0 if server.started else 1
