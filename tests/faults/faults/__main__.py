"""`python -m faults`: the application exactly as `python -m app` starts it, with the faulty routes around it.

FAULTS_AT_START, from the environment: `exit` (dies before it listens), `hang` (never listens), `unready` (listens, but
`/health/ready` never says so): releases that must not take over.
"""

import os
import signal
import sys

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


def main() -> int:
    at_start = os.environ.get("FAULTS_AT_START", "")
    if at_start == "exit":
        return 3
    if at_start == "hang":
        signal.pause()
    server.create_app = create_app
    return server.serve(Settings.from_environment(os.environ))


if __name__ == "__main__":
    sys.exit(main())
