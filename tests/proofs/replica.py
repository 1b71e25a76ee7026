"""One replica on its own: how soon it is healthy, and how much memory it takes."""

from __future__ import annotations

import statistics
from typing import Any

from lab.client import Lab
from tests.load import Load
from tests.proofs.healing import mixed, wait_until_whole

Evidence = dict[str, Any]

GOAL_SECONDS, CONTRACT_SECONDS = 3.0, 30.0
REPLICA = "$(sudo docker ps -aq --filter label=org.signupflow.app=signupflow | head -1)"
# The address is another one after each start, so it is asked for until there is one.
ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
START = f"""
id={REPLICA}; sudo docker stop --time 60 $id >/dev/null
began=$(date +%s.%N); sudo docker start $id >/dev/null
until address=$(sudo docker inspect --format '{ADDRESSES}' $id | cut -d' ' -f1)
  test "$(curl --silent -m 2 -o /dev/null --write-out '%{{http_code}}' http://$address:8000/health)" = 200
do sleep 0.05; done
echo "$(date +%s.%N) $began" | awk '{{printf "%.2f", $1 - $2}}'
"""
MEMORY = f"sudo grep VmRSS /proc/$(sudo docker inspect --format '{{{{.State.Pid}}}}' {REPLICA})/status | awk '{{print $2}}'"


def starts(lab: Lab, times: int = 10) -> Evidence:
    """Seconds from `docker start` until /health answers 200, with the database connected."""
    host = lab.holding("app")[-1]
    seconds = [float(lab.ssh(host, START)) for _ in range(times)]
    wait_until_whole(lab)
    rest = memory(lab, host)
    with Load(lab, rate=100, seconds=30, calls=mixed(lab)) as load:
        during = []
        for moment in range(2, 30, 4):
            load.until(moment)
            during.append(memory(lab, host))
    evidence = {
        "starts": seconds,
        "median_seconds": round(statistics.median(seconds), 2),
        "goal_seconds": GOAL_SECONDS,
        "contract_seconds": CONTRACT_SECONDS,
        "memory_at_rest_mib": rest,
        "memory_under_100_requests_a_second_mib": max(during),
        "replicas_that_shared_them": len(lab.holding("app")),
        "load": load.report.as_dict(),
    }
    assert max(seconds) < CONTRACT_SECONDS, evidence
    assert load.report.failed == 0, evidence
    return evidence


def memory(lab: Lab, host: str) -> float:
    """Resident memory of a replica's one process, in MiB."""
    return round(int(lab.ssh(host, MEMORY)) / 1024, 1)
