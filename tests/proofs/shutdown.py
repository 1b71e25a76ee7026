"""A replica is told to stop while it works: what it works on is finished, through the edge and all."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from lab import engine
from lab.client import ROOT, Lab
from tests.load import Load
from tests.proofs.healing import wait_until_whole
from tests.tenants import organisation

Evidence = dict[str, Any]

IMAGE = "signupflow/faults:local"
MEGABYTES, SLOW_SECONDS, GRACE_SECONDS = 50, 5, 40
# Of each kind so many that the balancer gives some to every replica.
EACH = 4
REPLICA = "$(sudo docker ps -aq --filter label=org.signupflow.app=signupflow | head -1)"


def finishes_what_it_works_on(lab: Lab) -> Evidence:
    """`docker stop` of one replica with slow requests, downloads and streams open, and ordinary requests all along."""
    engine.build(ROOT / "tests" / "faults", IMAGE)
    lab.pyinfra("-y", "--data", f"app_image={IMAGE}")
    try:
        return _stop_one(lab)
    finally:
        lab.pyinfra("-y")


def _stop_one(lab: Lab) -> Evidence:
    wait_until_whole(lab)
    host = lab.holding("app")[-1]
    _, token = organisation(lab)
    stop, ready = threading.Event(), threading.Barrier(3 * EACH + 1, timeout=30)
    with ThreadPoolExecutor(3 * EACH) as pool, Load(lab, rate=30, seconds=60) as load:
        slow = [pool.submit(_slow, lab, ready) for _ in range(EACH)]
        downloads = [pool.submit(_download, lab, ready) for _ in range(EACH)]
        streams = [pool.submit(_stream, lab, token, ready, stop) for _ in range(EACH)]
        ready.wait()
        began = time.monotonic()
        lab.ssh(host, f"sudo docker stop --time {GRACE_SECONDS} {REPLICA} >/dev/null")
        seconds = time.monotonic() - began
        code = int(lab.ssh(host, f"sudo docker inspect --format '{{{{.State.ExitCode}}}}' {REPLICA}"))
        slept, sizes = _results(slow), _results(downloads)
        stop.set()
        endings = _results(streams)
    lab.ssh(host, f"sudo docker start {REPLICA} >/dev/null")
    wait_until_whole(lab)
    evidence = {
        "slow_requests": slept,
        "download_bytes": sizes,
        "streams": endings,
        "streams_that_were_told_goodbye": endings.count("bye"),
        "seconds_to_exit": round(seconds, 1),
        "grace_seconds": GRACE_SECONDS,
        "exit_code": code,
        "load": load.report.as_dict(),
    }
    assert slept == [200] * EACH, evidence
    assert sizes == [MEGABYTES * 1024 * 1024] * EACH, evidence
    # Some were on the replica that stopped and some were not, and none broke off.
    assert set(endings) == {"bye", "open"}, evidence
    assert (code, seconds < GRACE_SECONDS) == (0, True), evidence
    assert load.report.failed == 0, evidence
    return evidence


def _results(futures: list[Future[Any]]) -> list[Any]:
    return [future.result(60) for future in futures]


def _client(lab: Lab) -> httpx.Client:
    return httpx.Client(base_url=f"https://{lab.address()}", verify=lab.tls(), timeout=30, trust_env=False)


def _request(lab: Lab, client: httpx.Client, path: str, token: str = "") -> httpx.Request:
    headers = {"Host": lab["domains"][0]} | ({"Authorization": f"Bearer {token}"} if token else {})
    return client.build_request("GET", path, headers=headers, extensions={"sni_hostname": lab["domains"][0]})


def _slow(lab: Lab, ready: threading.Barrier) -> int:
    with _client(lab) as client:
        ready.wait()
        return client.send(_request(lab, client, f"/faults/slow?seconds={SLOW_SECONDS}")).status_code


def _download(lab: Lab, ready: threading.Barrier) -> int:
    """Bytes that came. Read at about 10 MB a second, so that most of them come after SIGTERM."""
    size = 0
    with _client(lab) as client:
        answer = client.send(_request(lab, client, f"/faults/download?megabytes={MEGABYTES}"), stream=True)
        ready.wait()
        for piece in answer.iter_raw(1024 * 1024):
            size += len(piece)
            time.sleep(0.1)
    return size


def _stream(lab: Lab, token: str, ready: threading.Barrier, stop: threading.Event) -> str:
    """How a stream of sign-ups ended: `bye` when it was told so, `open` when it still ran when all else was over."""
    with _client(lab) as client:
        answer = client.send(_request(lab, client, "/api/v1/stream", token), stream=True)
        lines = answer.iter_lines()
        next(line for line in lines if line == "event: ready")
        ready.wait()
        # A heartbeat comes every 15 s, so an open stream is asked whether to go on.
        for line in lines:
            if line == "event: bye":
                return "bye"
            if stop.is_set():
                return "open"
    return "broke off"
