"""Why a domain has no certificate yet: in the CA's words where it has said something, otherwise by where its name leads."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

# lego's words for what a CA answered (RFC 8555, 6.7): status, kind of problem, and the problem in the CA's words.
PROBLEM = re.compile(r"acme: error: \d+ :: (?:\w+ :: \S+ :: )?urn:ietf:params:acme:error:(?P<kind>\w+) :: (?P<said>[^\n]*)")
# Traefik's line when an order failed.
FAILED = "Unable to obtain ACME certificate"


def problem(log: str, domain: str) -> tuple[str, str]:
    """Kind and words of the last problem that the CA had with a domain, from Traefik's log in JSON; empty when it had none."""
    for line in reversed(log.splitlines()):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or FAILED not in str(row.get("message", "")):
            continue
        said = str(row.get("error", ""))
        if domain not in re.findall(r"[A-Za-z0-9.-]+", f"{row.get('domains', '')} {said}"):
            continue
        found = PROBLEM.search(said)
        return (found["kind"], found["said"].split(", url:")[0].strip()) if found else ("", " ".join(said.split())[:200])
    return "", ""


def missing(domain: str, entry: str, leads_to: Sequence[str], found: tuple[str, str]) -> str:
    """What stands between a domain and its certificate, and what to do. `entry` is the edge's address, `leads_to` where the
    name leads as this machine sees it, `found` what the CA said last (`problem`).
    """
    kind, said = found
    record = f"make the record `{domain}. A {entry}`"
    if kind == "rateLimited":
        return f"{domain} has no certificate: the CA's rate limit is reached ({said}): deploy again later"
    if kind in ("dns", "connection", "unauthorized", "incorrectResponse", "caa", "tls"):
        remedy = {
            "connection": f"open port 80 of {entry} to the internet, or {record}",
            "caa": f"allow the CA in the CAA record of {domain}",
        }.get(kind, record)
        return f"{domain} has no certificate: the CA says: {said}: {remedy}, then deploy again"
    if said:
        return f"{domain} has no certificate: the CA says: {said}: see `docker logs signupflow-traefik` on the edge"
    if not leads_to:
        return f"{domain} has no certificate: it has no DNS record: {record}, then deploy again"
    if entry not in leads_to:
        return f"{domain} has no certificate: DNS points to {', '.join(leads_to)}: {record}, then deploy again"
    return f"{domain} has no certificate, and the CA reported no error: see `docker logs signupflow-traefik` on the edge"
