"""`python -m faults`: the application exactly as `python -m app` starts it, with the faulty routes around it.

FAULTS_AT_START, from the environment, makes it a release that must not take over:

    exit       dies before it listens
    hang       never listens
    unready    listens, but `/health/ready` never says so
    errors     is healthy; FAULTS_AFTER seconds (0) after the start every request but for health and metrics fails with 500
    crash      is healthy and ends at once, with code 1, FAULTS_AFTER seconds (20) after the start
    deaf       is healthy and ignores SIGTERM: Docker has to kill it
"""

import os
import signal
import sys
import threading
from types import FrameType

from fastapi import FastAPI
from starlette.middleware import Middleware

from app import main as application
from app import server
from app.settings import Settings
from faults.routes import Faults

_create_app = application.create_app


def create_app(settings: Settings) -> FastAPI:
    app = _create_app(settings)
    app.user_middleware.append(Middleware(Faults))  # the innermost
    return app


class DeafServer(server.DrainingServer):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)


def main() -> int:
    at_start = os.environ.get("FAULTS_AT_START", "")
    if at_start == "exit":
        return 3
    if at_start == "hang":
        signal.pause()
    if at_start == "crash":
        crash = threading.Timer(float(os.environ.get("FAULTS_AFTER") or 20), os._exit, [1])
        crash.daemon = True
        crash.start()
    if at_start == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until uvicorn sets its own
        vars(server).update(DrainingServer=DeafServer)
    vars(server).update(create_app=create_app)
    return server.serve(Settings.from_environment(os.environ))


if __name__ == "__main__":
    sys.exit(main())
