"""PostgreSQL answers the app's containers on app hosts, over TLS, and nobody else."""

from __future__ import annotations

import socket
from typing import Any

from lab.client import Lab

Evidence = dict[str, Any]

PORT = 5432
PROBE = "import socket; socket.create_connection(('{address}', 5432), 3); print('ans' + 'wers')"
# As the app asks, with its own settings and its own password; `mode` is libpq's sslmode.
ASK = (
    "import re, psycopg2; url = re.sub(r'sslmode=[a-z-]+', 'sslmode={mode}', open('/run/secrets/DATABASE_URL').read().strip());"
    " cursor = psycopg2.connect(url, connect_timeout=5).cursor();"
    " cursor.execute('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()'); print(cursor.fetchone())"
)


def only_the_app_is_answered(lab: Lab) -> Evidence:
    """Asked from the edge, from a spare host, from outside, from other containers on an app host, and from the app."""
    address, app = lab.address(lab.the("db")), lab.holding("app")[0]
    image = lab.ssh(app, f"{APP} | xargs sudo docker inspect --format '{{{{.Config.Image}}}}'").strip()
    stranger = f'sudo docker run --rm {{network}} --entrypoint python {image} -c "{PROBE.format(address=address)}"'
    lab.ssh(app, "sudo docker network create stranger >/dev/null 2>&1 || true")
    try:
        tried = {
            "outside": _from_here(address),
            **{f"{role} host": _from_host(lab, host, address) for role, host in _others(lab)},
            "another container on an app host": _answers(lab, app, stranger.format(network="")),
            "another container with a network of its own": _answers(lab, app, stranger.format(network="--network stranger")),
        }
    finally:
        lab.ssh(app, "sudo docker network rm stranger >/dev/null")
    inside = f'{APP} | head -1 | xargs -I ID sudo docker exec ID python -c "{{ask}}"'
    over_tls = lab.ssh(app, inside.format(ask=ASK.format(mode="verify-full"))).strip()
    in_clear = _said(lab, app, inside.format(ask=ASK.format(mode="disable"))).splitlines()[-1]
    evidence = {"answers": tried, "app_over_tls": over_tls, "app_in_clear": in_clear}
    assert not any(tried.values()), evidence
    assert over_tls.startswith("(True, 'TLSv1."), evidence
    assert "rejects connection" in in_clear or "no pg_hba.conf entry" in in_clear, evidence
    return evidence


def _others(lab: Lab) -> list[tuple[str, str]]:
    """Role and name of hosts with nothing to ask a database; the edge is none where the database is its neighbour."""
    found = [(role, host) for role in ("edge", "spare") for host in lab.holding(role)[:1]]
    return [(role, host) for role, host in found if host != lab.the("db")]


APP = "sudo docker ps -q --filter label=org.signupflow.app=signupflow | head -1"


def _from_here(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), 3):
            return True
    except OSError:
        return False


def answers(lab: Lab, host: str) -> bool:
    """Whether PostgreSQL's port completes a handshake with a host."""
    return _from_host(lab, host, lab.address(lab.the("db")))


def _from_host(lab: Lab, host: str, address: str) -> bool:
    return _answers(lab, host, f"timeout 3 bash -c 'echo > /dev/tcp/{address}/{PORT}' && echo ans''wers")


def _answers(lab: Lab, host: str, command: str) -> bool:
    return "answers" in _said(lab, host, command)


def _said(lab: Lab, host: str, command: str) -> str:
    return lab.ssh(host, f"( {command} ) 2>&1 || true").strip()
