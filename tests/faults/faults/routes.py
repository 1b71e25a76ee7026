"""What can go wrong, on command. An ASGI layer inside the application's own middleware: faults are logged, counted and
reported as the application's own would be.

    GET  /faults/slow?seconds=5             answers after that time
    GET  /faults/download?megabytes=50      that many megabytes, in pieces of 64 kB
    GET  /faults/error                      an exception that nobody handles: 500
    GET  /faults/status?code=503            that status
    GET  /faults/cut                        half an answer, then the connection breaks
    POST /faults/exit?code=1                the process ends at once
    POST /faults/ignore-sigterm             SIGTERM does nothing from now on
    POST /faults/hog?megabytes=100          takes and keeps that much memory
    POST /faults/block?seconds=5            the event loop stands still
    POST /faults/unready                    /health/ready... answers 503 from now on
    POST /faults/ready                      and no longer
"""

import asyncio
import math
import os
import signal
import time
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PIECE = bytes(65536)
PROBES = ("/health", "/metrics")


class Faults:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        at_start = os.environ.get("FAULTS_AT_START", "")
        self._unready = at_start == "unready"
        # A moment of the monotonic clock.
        self._errors_from = time.monotonic() + float(os.environ.get("FAULTS_AFTER") or 0) if at_start == "errors" else math.inf
        self._kept: list[bytearray] = []
        self._faults: dict[str, Callable[[dict[str, float]], Awaitable[Response]]] = {
            "GET /faults/slow": self._slow,
            "GET /faults/download": self._download,
            "GET /faults/error": self._error,
            "GET /faults/status": self._status,
            "POST /faults/exit": self._exit,
            "POST /faults/ignore-sigterm": self._ignore_sigterm,
            "POST /faults/hog": self._hog,
            "POST /faults/block": self._block,
            "POST /faults/unready": self._set_unready,
            "POST /faults/ready": self._set_ready,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = f"{scope['method']} {scope['path']}" if scope["type"] == "http" else ""
        if name == "GET /faults/cut":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            return
        if name and not scope["path"].startswith(PROBES) and time.monotonic() >= self._errors_from:
            raise RuntimeError("a release that answers 500, on command")
        if name.startswith("GET /health/ready") and self._unready:
            await JSONResponse({"status": "unready on command"}, 503)(scope, receive, send)
        elif name in self._faults:
            query = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
            response = await self._faults[name]({key: float(value) for key, value in query.items()})
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _slow(self, query: dict[str, float]) -> Response:
        await asyncio.sleep(query.get("seconds", 5))
        return JSONResponse({"slept": query.get("seconds", 5)})

    async def _download(self, query: dict[str, float]) -> Response:
        pieces = int(query.get("megabytes", 50) * 16)

        async def content() -> AsyncIterator[bytes]:
            for _ in range(pieces):
                yield PIECE

        return StreamingResponse(content(), headers={"Content-Length": str(pieces * len(PIECE))})

    async def _error(self, query: dict[str, float]) -> Response:
        raise RuntimeError("a fault on command")

    async def _status(self, query: dict[str, float]) -> Response:
        return JSONResponse({"status": "on command"}, int(query.get("code", 500)))

    async def _exit(self, query: dict[str, float]) -> Response:
        os._exit(int(query.get("code", 1)))

    async def _ignore_sigterm(self, query: dict[str, float]) -> Response:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return JSONResponse({"ignores": "SIGTERM"})

    async def _hog(self, query: dict[str, float]) -> Response:
        # Written to, page by page: memory that is only promised costs nothing.
        self._kept.append(bytearray(os.urandom(4096)) * int(query.get("megabytes", 100) * 256))
        return JSONResponse({"kept": sum(map(len, self._kept))})

    async def _block(self, query: dict[str, float]) -> Response:
        time.sleep(query.get("seconds", 5))  # blocking, not awaiting, is the fault
        return JSONResponse({"blocked": query.get("seconds", 5)})

    async def _set_unready(self, query: dict[str, float]) -> Response:
        self._unready = True
        return JSONResponse({"ready": False})

    async def _set_ready(self, query: dict[str, float]) -> Response:
        self._unready = False
        return JSONResponse({"ready": True})
