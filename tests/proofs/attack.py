"""Whatever one address sends to the edge, others are served."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from lab import engine, images
from lab.client import ROOT, Lab
from tests.edge.asking import Connection
from tests.edge.attack import WAYS
from tests.edge.backend import Backend
from tests.edge.traefik import Traefik
from tests.load import Load

Evidence = dict[str, Any]

PROGRAM = ROOT / "tests" / "edge" / "attack.py"
NAME = "signupflow-traefik"
# What a p99 of a few milliseconds may become beside the attacker's own work, on the same two cores.
SMALL_MS = 100.0


def others_are_served(lab: Lab, connections: int = 1000, seconds: float = 30, rate: float = 50, timed: bool = True) -> Evidence:
    """Each way for `seconds`, by an attacker with an address of its own, while another one asks for `/health/live`.

    How fast it is answered counts when `timed`: beside other work on this machine it says nothing.
    """
    domain, address = lab["domains"][0], lab.address(lab.the("edge"))
    started, _ = _state(lab)
    with Load(lab, rate=rate, seconds=seconds) as load:
        load.until(seconds)
    before = load.report
    rows: list[dict[str, Any]] = []
    for way in WAYS:
        with Load(lab, rate=rate, seconds=10 * seconds) as load:
            attack = _attacked(lab, way, address, domain, connections, seconds)
        rows.append({"way": way, "attacker": attack, "others": load.report.as_dict(), "memory_mb": _state(lab)[1]})
    ended, memory = _state(lab)
    evidence = {
        "connections": connections,
        "others_before": before.as_dict(),
        "ways": rows,
        "restarts": int(started != ended),
        "memory_mb": memory,
    }
    assert started == ended, evidence
    for row in rows:
        assert row["others"]["failed"] == 0, evidence
        assert not timed or row["others"]["p99_ms"] <= max(2 * before.p99_ms, SMALL_MS), evidence
        # The control: it was an attack.
        assert row["attacker"].get("connected", 0) >= min(connections, 100), evidence
    return evidence


def _attacked(lab: Lab, way: str, address: str, domain: str, connections: int, seconds: float) -> dict[str, int]:
    """What the attacker counted. It is put behind everything else on this machine, which is also the hosts'."""
    arguments = (way, address, "443", domain, str(connections), str(seconds))
    options = (
        f"--network=signupflow-{lab['name']}",
        "--cpu-shares=64",
        f"--volume={PROGRAM}:/attack.py:ro",
        "--entrypoint=python",
    )
    done = engine.docker("run", "--rm", *options, images.PYTHON, "/attack.py", *arguments, timeout=20 * seconds + 120)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _state(lab: Lab) -> tuple[str, int]:
    """When Traefik started and how often it was restarted, and the most memory that it had at once, in MB."""
    said = lab.ssh(
        lab.the("edge"),
        f"sudo docker inspect --format '{{{{.State.StartedAt}}}} {{{{.RestartCount}}}} {{{{.State.Pid}}}}' {NAME}",
    ).split()
    peak = lab.ssh(lab.the("edge"), f"sudo grep VmHWM /proc/{said[2]}/status").split()[1]
    return " ".join(said[:2]), int(peak) // 1024


def an_upload_arrives(folder: Path, seconds: float = 300, rate: int = 100_000) -> Evidence:
    """At `rate` bytes a second, through the real Traefik with the settings' defaults, to an app that takes it."""
    chunk, total = rate // 10, int(rate * seconds)
    with Backend() as backend, Traefik(folder, [backend.url]) as edge, closing(Connection(edge)) as upload:
        upload.putrequest("PUT", "/upload")
        upload.putheader("Content-Length", str(total))
        upload.endheaders()
        began = time.monotonic()
        for number in range(total // chunk):
            upload.send(b"x" * chunk)
            time.sleep(max(0.0, began + (number + 1) * chunk / rate - time.monotonic()))
        answer = upload.getresponse()
        arrived = answer.read().decode()
    evidence = {"status": answer.status, "bytes": total, "arrived": arrived, "seconds": round(time.monotonic() - began, 1)}
    assert (answer.status, arrived) == (200, str(total)), evidence
    return evidence
