"""A foreign app: twenty lines of WSGI that know nothing of SignUpFlow."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import make_server


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    healthy = environ["PATH_INFO"] == "/ping"
    body = "pong" if healthy else f"{os.environ['GREETING']}, database {'given' if os.environ.get('PG_DSN') else 'missing'}"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]


if sys.argv[1:] == ["migrate"]:
    sys.exit(0 if os.environ.get("PG_DSN", "").startswith("postgresql://") else "PG_DSN is missing")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
make_server("", 9000, application).serve_forever()
