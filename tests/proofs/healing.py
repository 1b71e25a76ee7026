"""What breaks comes back by itself: each part is killed under load, and the failed requests are counted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from typing import Any

from lab.client import ROOT, Lab
from lab.waiting import wait_for
from tests.load import Call, Load
from tests.tenants import event, organisation

Evidence = dict[str, Any]

# SC-008: recovery in under 30 s.
LIMIT_SECONDS = 30.0
REPLICA = "$(docker ps -aq --filter label=org.signupflow.app=signupflow | head -1)"
# As Unix time with fractions, by root on the host.
STARTED = "date -d $(docker inspect --format {{{{.State.StartedAt}}}} {name}) +%s.%N"
ENGINE_STARTED = 'date -d "$(systemctl show docker --property ActiveEnterTimestamp --value)" +%s'
BOOTED = "stat --format %Y /proc/1"


@dataclass(frozen=True)
class Fault:
    """What is done where, and how one sees that what it ended runs again: a command that prints when it started."""

    name: str
    host: str
    deed: Callable[[], object]
    started: str

    def began(self, lab: Lab) -> float:
        return float(_as_root(lab, self.host, self.started))


def faults(lab: Lab) -> list[Fault]:
    """The replica's first. In the single topology the hosts are one and the same."""
    app, edge, database = lab.holding("app")[-1], lab.the("edge"), lab.the("db")

    def on(host: str, command: str) -> Callable[[], object]:
        return lambda: _as_root(lab, host, command)

    def killed(name: str, host: str, container: str) -> Fault:
        kill = f"docker inspect --format {{{{.State.Pid}}}} {container} | xargs kill -9"
        return Fault(f"kill -9 of {name}", host, on(host, kill), STARTED.format(name=container))

    found = [
        killed("a replica", app, REPLICA),
        killed("Traefik", edge, "signupflow-traefik"),
        killed("PostgreSQL", database, "signupflow-postgres"),
    ]
    for host in dict.fromkeys((app, edge, database)):
        roles = "+".join(next(item["roles"] for item in lab["hosts"] if item["name"] == host))
        restart = on(host, "systemctl restart docker")
        found.append(Fault(f"systemctl restart docker ({roles})", host, restart, ENGINE_STARTED))
        found.append(Fault(f"reboot ({roles})", host, partial(reboot, lab, host), BOOTED))
    return found


def _as_root(lab: Lab, host: str, command: str) -> str:
    return lab.ssh(host, "sudo sh -s", stdin=command).strip()


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


def heals(lab: Lab, fault: Fault, rate: float = 100, settle: float = 5, end: Callable[[], float] | None = None) -> Evidence:
    """Do it under load; wait until what it ended runs again and all servers are in service, and look again later.

    `end` tells (Unix time) when what was killed had ended.
    """
    with Load(lab, rate=rate, seconds=120, calls=mixed(lab)) as load:
        load.until(settle)
        began, moment = load.elapsed, time.time()
        fault.deed()
        ended = load.elapsed if not end else end() - load.epoch
        _wait_until(lambda: fault.began(lab) >= int(moment), f"{fault.name}: what it ended does not run again")
        wait_until_whole(lab)
        whole = load.elapsed
        load.until(whole + settle)
        wait_until_whole(lab, seconds=2)
    report = load.report
    late = [failure.sent_at - began for failure in report.failures]
    evidence: Evidence = {
        "fault": fault.name,
        "load": report.as_dict(),
        "seconds_until_the_last_failed_request_was_sent": round(max(late, default=0.0), 2),
        "seconds_to_full_service": round(whole - began, 2),
        "seconds_until_it_had_ended": round(ended - began, 2),
        # In flight when it happened: sent before it had ended, unanswered when the deed began.
        "failed_in_flight": sum(item.sent_at <= ended and item.sent_at + item.seconds >= began for item in report.failures),
    }
    assert report.sent > 0, evidence
    assert evidence["seconds_until_the_last_failed_request_was_sent"] < LIMIT_SECONDS, evidence
    assert evidence["seconds_to_full_service"] < LIMIT_SECONDS, evidence
    return evidence


def a_replica_dies(lab: Lab, rate: float = 100) -> Evidence:
    """Nothing fails but what was in flight on the one that died (ADR 51)."""
    evidence = heals(lab, faults(lab)[0], rate, end=lambda: replica_ended(lab))
    assert evidence["failed_in_flight"] == evidence["load"]["failed"], evidence
    return evidence


def replica_ended(lab: Lab) -> float:
    """When the killed replica's process had ended and its sockets were closed, as Docker noted it (Unix time)."""
    noted = f"date -d $(docker inspect --format {{{{.State.FinishedAt}}}} {REPLICA}) +%s.%N"
    return float(_as_root(lab, lab.holding("app")[-1], noted))


def wait_until_whole(lab: Lab, seconds: float = 60) -> None:
    """Until Traefik calls every server up that the routes name, and the app calls itself healthy at each domain."""
    _wait_until(lambda: _whole(lab), "not all servers are in service", seconds)


def _whole(lab: Lab) -> bool:
    # A single server is not checked by Traefik, so nothing is said of it.
    expected = len(lab.holding("app")) if len(lab.holding("app")) > 1 else 0
    statuses = server_statuses(lab)
    return len(statuses) >= expected and set(statuses.values()) <= {"UP"} and _healthy(lab)


def _wait_until(holds: Callable[[], bool], otherwise: str, seconds: float = 60) -> None:
    """What cannot be asked yet (a host that boots) does not hold."""
    wait_for(holds, seconds, otherwise, every=0.2, not_yet=(OSError, RuntimeError, ValueError, HTTPException))


def server_statuses(lab: Lab) -> dict[str, str]:
    """Server URL to UP or DOWN, as Traefik sees it: of every generation's service that has a health check."""
    api = "curl --silent --max-time 2 'http://127.0.0.1:8099/api/http/services?search=signupflow-on-&per_page=1000'"
    services = json.loads(lab.ssh(lab.the("edge"), api))
    checked = [item for item in services if "healthCheck" in item["loadBalancer"]]
    return {url: status for item in checked for url, status in item["serverStatus"].items()}


def _healthy(lab: Lab) -> bool:
    return all(lab.https(domain, "/health", timeout=3).status == 200 for domain in lab["domains"])


def everything_heals(lab: Lab, rate: float = 100) -> Evidence:
    """Each fault, one after another; the replica's has rules of its own."""
    first = a_replica_dies(lab, rate)
    return {"faults": [first, *(heals(lab, fault, rate) for fault in faults(lab)[1:])]}
