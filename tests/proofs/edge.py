"""What answers from outside: domains, certificates, redirects, renewal, ports."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lab.client import Lab
from lab.waiting import wait_for
from tests.load import Load

Evidence = dict[str, Any]


def each_domain_has_its_certificate(lab: Lab) -> Evidence:
    """Verified against the lab's CA only; a certificate is for one domain, is valid now, and differs from the others."""
    found = {}
    for domain in lab["domains"]:
        lab.wait_for_health(domain, seconds=60)
        certificate = lab.certificate(domain)
        names = [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]
        expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        found[domain] = {"names": names, "serial": certificate["serialNumber"], "expires": expires.isoformat()}
        assert names == [domain], found
        assert expires > datetime.now(UTC), found
    assert len({item["serial"] for item in found.values()}) == len(lab["domains"]) >= 2, found
    return found


def http_redirects_to_https(lab: Lab) -> Evidence:
    """Every domain, path and query kept."""
    found = {}
    for domain in lab["domains"]:
        answer = lab.http(domain, "/events?page=2")
        found[domain] = {"status": answer.status, "location": answer.headers.get("location")}
        assert answer.status in (301, 308), found
        assert answer.headers["location"] == f"https://{domain}/events?page=2", found
    return found


def renewal_under_load(lab: Lab, rate: float = 100, seconds: float = 150) -> Evidence:
    """Watch the serial change while requests go on; needs a lab whose CA issues short-lived certificates."""
    domain = lab["domains"][0]
    before = lab.certificate(domain)["serialNumber"]
    started, changed = time.monotonic(), 0.0
    with Load(lab, rate=rate, seconds=seconds, domain=domain) as load:
        while time.monotonic() - started < seconds:
            if not changed and lab.certificate(domain)["serialNumber"] != before:
                changed = time.monotonic() - started
            if changed and time.monotonic() - started > changed + 5:
                break
            time.sleep(0.5)
    evidence = {
        "serial_before": before,
        "serial_after": lab.certificate(domain)["serialNumber"],
        "changed_after_seconds": round(changed, 1),
        "load": load.report.as_dict(),
    }
    assert evidence["serial_after"] != before, evidence
    assert load.report.failed == 0, evidence
    assert load.report.sent > 0, evidence
    return evidence


def _open_ports(address: str, ports: Sequence[int], at_once: int = 900, seconds: float = 0.5) -> list[int]:
    """TCP ports that complete a handshake within `seconds`, tried `at_once` at a time without threads."""
    found: list[int] = []
    for start in range(0, len(ports), at_once):
        poll, pending = select.epoll(), {}
        for port in ports[start : start + at_once]:
            attempt = socket.socket()
            attempt.setblocking(False)
            attempt.connect_ex((address, port))
            pending[attempt.fileno()] = (port, attempt)
            poll.register(attempt, select.EPOLLOUT)
        deadline = time.monotonic() + seconds
        while pending and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left):
                port, attempt = pending.pop(descriptor)
                poll.unregister(descriptor)
                if not attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    found.append(port)
                attempt.close()
        for _, attempt in pending.values():
            attempt.close()
        poll.close()
    return sorted(found)


def only_public_ports_answer(lab: Lab, ports: Sequence[int] = range(1, 65536)) -> Evidence:
    """Scan `ports`, all by default, of the host from outside, with a published container and a listening service planted there.

    The positive control: with the firewall's table taken away, the same scan finds both plants.
    """
    container, service = 28888, 29999
    image = lab.ssh("h1", "sudo docker inspect --format '{{.Image}}' signupflow-traefik").strip()
    # Traefik's own image, because it is there: a second one with nothing but a listening port.
    arguments = f"--entryPoints.planted.address=:{container} --ping=true --ping.entryPoint=planted"
    lab.ssh("h1", f"sudo docker run -d --rm --name planted -p {container}:{container} {image} traefik {arguments}")
    lab.ssh("h1", f"sudo systemd-run --quiet --unit planted systemd-socket-activate --accept -l {service} /bin/cat")
    planted = range(min(container, service), max(container, service) + 1)
    try:
        _wait_for_listener(lab, container)
        found = _open_ports(lab.address(), ports)
        lab.ssh("h1", "sudo nft delete table inet signupflow")
        control = _open_ports(lab.address(), planted)
    finally:
        lab.ssh(
            "h1", "sudo systemctl reload-or-restart signupflow-firewall; sudo docker rm -f planted; sudo systemctl stop planted"
        )
    evidence = {"scanned": len(ports), "open": found, "planted": [container, service], "open_without_firewall": control}
    assert found == [22, 80, 443], evidence
    assert {container, service} <= set(control), evidence
    return evidence


def _wait_for_listener(lab: Lab, port: int) -> None:
    command = f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{port}/ping || true"
    wait_for(lambda: "200" in lab.ssh("h1", command), 10, f"nothing listens on {port}", every=0.1)
