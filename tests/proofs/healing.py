"""What breaks comes back by itself: each part is killed under load, and the failed requests are counted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.lab_client import ROOT, Lab
from tests.load import Call, Load
from tests.tenants import event, organisation

Evidence = dict[str, Any]

# SC-008: recovery in under 30 s.
LIMIT_SECONDS = 30.0
KILL_REPLICA = (
    "sudo sh -c 'docker ps -q --filter label=org.signupflow.app=signupflow | head -1"
    " | xargs docker inspect --format {{.State.Pid}} | xargs kill -9'"
)
KILL = "sudo sh -c 'docker inspect --format {{{{.State.Pid}}}} signupflow-{name} | xargs kill -9'"


def faults(lab: Lab) -> dict[str, Callable[[], object]]:
    """Name to the deed. In the single topology the hosts are one and the same."""
    app, edge, database = lab.holding("app")[-1], lab.the("edge"), lab.the("db")

    def on(host: str, command: str) -> Callable[[], object]:
        return lambda: lab.ssh(host, command)

    found = {
        "kill -9 of a replica": on(app, KILL_REPLICA),
        "kill -9 of Traefik": on(edge, KILL.format(name="traefik")),
        "kill -9 of PostgreSQL": on(database, KILL.format(name="postgres")),
    }
    for host in dict.fromkeys((app, edge, database)):
        roles = "+".join(next(item["roles"] for item in lab["hosts"] if item["name"] == host))
        found[f"systemctl restart docker ({roles})"] = on(host, "sudo systemctl restart docker")
        found[f"reboot ({roles})"] = lambda host=host: reboot(lab, host)
    return found


def reboot(lab: Lab, host: str) -> None:
    command = [sys.executable, "-m", "lab", "reboot", "--name", lab["name"], host]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def mixed(lab: Lab) -> Callable[[int], Call]:
    """Of ten requests three write (an event), five read from the database, two only ask whether the app lives."""
    _, token = organisation(lab)
    event(lab, token)
    body = {"type": "service", "start_time": "2027-01-10T09:00:00Z", "end_time": "2027-01-10T11:00:00Z"}

    def call(number: int) -> Call:
        if number % 10 < 3:
            return Call("POST", "/api/v1/events", body, token)
        if number % 10 < 8:
            return Call("GET", "/api/v1/events?limit=5", token=token)
        return Call()

    return call


def heals(
    lab: Lab,
    name: str,
    deed: Callable[[], object],
    rate: float = 100,
    settle: float = 5,
    end: Callable[[], float] | None = None,
) -> Evidence:
    """Do it under load, and wait until every server is in service again. `end` tells when what was killed had ended."""
    with Load(lab, rate=rate, seconds=120, calls=mixed(lab)) as load:
        load.until(settle)
        began = load.elapsed
        deed()
        ended = load.elapsed if not end else end() - load.epoch
        wait_until_whole(lab)
        whole = load.elapsed
        load.until(whole + settle)
    report = load.report
    late = [failure.sent_at - began for failure in report.failures]
    evidence = {
        "fault": name,
        "load": report.as_dict(),
        "seconds_until_the_last_failed_request_was_sent": round(max(late, default=0.0), 2),
        "seconds_to_full_service": round(whole - began, 2),
        "seconds_until_it_had_ended": round(ended - began, 2),
        # In flight when it happened: sent before it had ended, unanswered when the deed began.
        "failed_in_flight": sum(item.sent_at <= ended and item.sent_at + item.seconds >= began for item in report.failures),
    }
    assert report.sent > 0, evidence
    assert not any(failure.sent_at < began - 15 for failure in report.failures), evidence
    assert evidence["seconds_until_the_last_failed_request_was_sent"] < LIMIT_SECONDS, evidence
    assert evidence["seconds_to_full_service"] < LIMIT_SECONDS, evidence
    return evidence


def a_replica_dies(lab: Lab, rate: float = 100) -> Evidence:
    """No GET fails, and of the writes only those that were in flight on the one that died."""
    name = "kill -9 of a replica"
    evidence = heals(lab, name, faults(lab)[name], rate, end=lambda: replica_ended(lab))
    assert evidence["load"]["failed_by_method"].get("GET", 0) == 0, evidence
    assert evidence["failed_in_flight"] == evidence["load"]["failed"], evidence
    return evidence


def replica_ended(lab: Lab) -> float:
    """When the killed replica's process had ended and its sockets were closed, as Docker noted it (Unix time)."""
    asked = "sudo docker ps -aq --filter label=org.signupflow.app=signupflow | head -1 | xargs sudo docker inspect --format "
    return datetime.fromisoformat(
        lab.ssh(lab.holding("app")[-1], asked + "{{.State.FinishedAt}}").strip()[:23] + "+00:00"
    ).timestamp()


def wait_until_whole(lab: Lab, seconds: float = 60) -> None:
    """Until Traefik calls every server up and the app calls itself healthy, at each domain."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            statuses = server_statuses(lab)
            # A single server is not checked by Traefik, so nothing is said of it.
            if set(statuses.values()) <= {"UP"} and _healthy(lab):
                return
        except (OSError, RuntimeError, ValueError) as error:
            statuses = {"error": str(error)}
        assert time.monotonic() < deadline, f"not whole after {seconds:.0f} s: {statuses}"
        time.sleep(0.2)


def server_statuses(lab: Lab) -> dict[str, str]:
    """Server URL to UP or DOWN, as Traefik sees it."""
    api = "curl --silent --max-time 2 http://127.0.0.1:8099/api/http/services/signupflow-passing@file"
    found: dict[str, str] = json.loads(lab.ssh(lab.the("edge"), api)).get("serverStatus", {})
    return found


def _healthy(lab: Lab) -> bool:
    return all(lab.https(domain, "/health", timeout=3).status == 200 for domain in lab["domains"])


def everything_heals(lab: Lab, rate: float = 100) -> Evidence:
    """Each fault, one after another; the replica's has rules of its own."""
    first = a_replica_dies(lab, rate)
    others = [heals(lab, name, deed, rate) for name, deed in faults(lab).items() if name != first["fault"]]
    return {"faults": [first, *others]}
