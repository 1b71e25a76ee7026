"""Whole hosts that are lost, come back, are added and are removed, under load."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab.client import ROOT, Lab
from tests.load import Load
from tests.proofs import convergence
from tests.proofs.healing import mixed, server_statuses, wait_until_whole

Evidence = dict[str, Any]

# Asked in the host's own containers: their sum of answered requests to the API, which no probe makes.
COUNT = r"""
sudo sh -c 'for id in $(docker ps -q --filter label=org.signupflow.app=signupflow); do
  address=$(docker inspect --format "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}" $id | cut -d" " -f1)
  curl --silent --max-time 5 http://$address:8000/metrics
done' | awk '/^signupflow_http_requests_total/ && /route="\/api\// {sum += $2} END {printf "%d", sum}'
"""


def answered(lab: Lab, host: str) -> int:
    """Requests that a host's replicas have answered since they started."""
    return int(lab.ssh(host, COUNT) or 0)


def _lab(lab: Lab, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "lab", *command, "--name", lab["name"]], cwd=ROOT, check=True, capture_output=True)


def cut_off_and_back(lab: Lab, rate: float = 100, seconds: float = 60, failing: float = 1.0) -> Evidence:
    """An app host's cable is pulled and put back. Requests already sent to it are lost for at most `failing` seconds."""
    host = lab.holding("app")[-1]
    # Longer than the proxy waits for an answer, so that it is the proxy's verdict that counts.
    with Load(lab, rate=rate, seconds=seconds + 120, calls=mixed(lab), timeout=60) as load:
        load.until(5)
        began = load.elapsed
        _lab(lab, "isolate", host)
        try:
            load.until(began + 5)
            while_cut = server_statuses(lab)
            load.until(began + seconds)
        finally:
            _lab(lab, "reconnect", host)
        mended = load.elapsed
        wait_until_whole(lab)
        whole = load.elapsed
        before = answered(lab, host)
        load.until(load.elapsed + 10)
        shared = answered(lab, host) - before
    report = load.report
    evidence = {
        "host": host,
        "cut_seconds": round(mended - began, 1),
        "servers_5_s_after_the_cut": sorted(while_cut.values()),
        "load": report.as_dict(),
        "failing_seconds": report.failing_seconds(),
        "seconds_until_the_last_failed_request_was_sent": round(
            max((failure.sent_at - began for failure in report.failures), default=0.0), 2
        ),
        "seconds_from_mend_to_full_service": round(whole - mended, 2),
        "answered_by_it_in_10_s_after": shared,
    }
    assert "DOWN" in while_cut.values(), evidence
    assert report.failing_seconds() <= failing, evidence
    assert not [failure for failure in report.failures if failure.sent_at > began + 5], evidence
    # Of ten requests eight are the API's.
    assert shared > 10 * rate * 0.8 / len(lab.holding("app")) / 2, evidence
    return evidence


def grown(lab: Lab, host: str) -> Path:
    """The lab's inventory with one spare host in group `app`: the line that an operator adds."""
    fqdn = next(item["fqdn"] for item in lab["hosts"] if item["name"] == host)
    text = Path(lab["inventory"]).read_text()
    changed = re.sub(r"^app = \[(.*)\]$", rf"app = [\1, '{fqdn}']", text, flags=re.MULTILINE)
    assert changed != text
    path = Path(lab["inventory"]).with_name("grown.py")
    path.write_text(changed)
    return path


def added_and_removed(lab: Lab, rate: float = 100) -> Evidence:
    """A third app host joins by one line and a run, and leaves by `remove_host.py`: no request fails."""
    (host, *_) = lab.holding("spare")
    inventory = str(grown(lab, host))
    fqdn = next(item["fqdn"] for item in lab["hosts"] if item["name"] == host)
    with Load(lab, rate=rate, seconds=600, calls=mixed(lab)) as load:
        load.until(3)
        started = load.elapsed
        lab.pyinfra("-y", inventory=inventory, politely=True)
        joined = load.elapsed
        load.until(joined + 5)
        shared = answered(lab, host)
        servers = server_statuses(lab)
        leaving = load.elapsed
        lab.pyinfra("-y", "--limit", fqdn, deploy="deploys/remove_host.py", inventory=inventory, politely=True)
        left = load.elapsed
        after = server_statuses(lab)
        lab.pyinfra("-y")
        load.until(load.elapsed + 3)
    running = lab.ssh(host, "sudo docker ps -q --filter label=org.signupflow.app=signupflow").split()
    evidence = {
        "host": fqdn,
        "seconds_to_add": round(joined - started, 1),
        "seconds_to_remove": round(left - leaving, 1),
        "servers_with_it": len(servers),
        "servers_without_it": len(after),
        "answered_by_it": shared,
        "load": load.report.as_dict(),
        "failures": [str(failure) for failure in load.report.failures[:10]],
    }
    assert len(servers) == len(after) + 1, evidence
    assert shared > 5 * rate * 0.8 / 3 / 2, evidence
    assert not running, evidence
    assert load.report.failed == 0, evidence
    return evidence


def one_host_becomes_two(lab: Lab) -> Evidence:
    """A single host gets private addresses and a second app host: what interrupts is asked for, what follows is exact."""
    first, second = lab["hosts"][0], lab["hosts"][1]
    text = Path(lab["inventory"]).read_text()
    for host in (first, second):
        address = f"'ssh_hostname': '{host['address']}'"
        assert address in text
        text = text.replace(address, f"{address}, 'private_address': '{host['address']}'")
    text = re.sub(r"^app = .*$", f"app = ['{first['fqdn']}', '{second['fqdn']}']", text, flags=re.MULTILINE)
    path = Path(lab["inventory"]).with_name("two.py")
    path.write_text(text)
    two = Lab({**lab, "inventory": str(path)})
    refused = two.pyinfra("-y", check=False)
    exact = convergence.dry_run_is_exact(two, "--data", "allow_interrupts=postgres")
    again = convergence.second_run_changes_nothing(two)
    wait_until_whole(two)
    before = {host["name"]: answered(lab, host["name"]) for host in (first, second)}
    with Load(two, rate=40, seconds=5, calls=mixed(two)) as load:
        load.wait()
    shared = {name: answered(lab, name) - count for name, count in before.items()}
    with Load(two, rate=40, seconds=300, calls=mixed(two)) as leaving:
        two.pyinfra("-y", "--limit", second["fqdn"], deploy="deploys/remove_host.py")
    lab.pyinfra("-y", "--data", "allow_interrupts=postgres")
    evidence = {
        "refused_without_permission": "INTERRUPTS postgres" in refused.stderr,
        "growing": exact,
        "second_run": again,
        "shared": shared,
        "load": load.report.as_dict(),
        "leaving": leaving.report.as_dict(),
    }
    assert evidence["refused_without_permission"], evidence
    assert load.report.failed == leaving.report.failed == 0, evidence
    assert all(count > 40 for count in shared.values()), evidence
    return evidence
