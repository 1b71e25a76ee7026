"""`python -m app.healthcheck`: exit 0 when `/health/live` of this container answers 200, 1 otherwise.

Runs every few seconds in every container, so it imports almost nothing. Liveness only: a lost database must not make
Docker call every instance unhealthy.
"""

import http.client
import os
import sys


def port() -> int:
    """PORT, or what PORT_FILE holds, or 8000: the same rule as app.settings, without its imports."""
    if os.environ.get("PORT_FILE"):
        with open(os.environ["PORT_FILE"], encoding="utf-8") as file:
            return int(file.read().strip())
    return int(os.environ.get("PORT") or 8000)


def main() -> int:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port(), timeout=3)
        connection.request("GET", "/health/live")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, ValueError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
