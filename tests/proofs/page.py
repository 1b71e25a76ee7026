"""The volunteers' page of a deployment, in a real browser, in six languages, live across replicas."""

from __future__ import annotations

from typing import Any

import httpx

from lab.client import ROOT, Lab
from tests.browser.page import Site, signs_up

Evidence = dict[str, Any]

SCREENSHOTS = ROOT / "docs" / "evidence" / "page"


def works_in_every_language(lab: Lab) -> Evidence:
    """One browser signs up, a second one sees it arrive; requests of both go to whichever replica the edge chooses."""
    domain = lab["domains"][0]
    # The browser gets the edge's address for the name and does not check the lab's CA; `certificates` checks it.
    site = Site(f"https://{domain}", f"https://{domain}", resolve=lab.address(), ignore_https_errors=True)
    transport = httpx.HTTPTransport(verify=lab.tls())
    with httpx.Client(base_url=f"https://{lab.address()}", transport=transport, timeout=30, trust_env=False) as client:
        client.headers["Host"] = domain
        client.event_hooks["request"].append(lambda request: request.extensions.update(sni_hostname=domain))
        evidence = signs_up(site, client, SCREENSHOTS)
    evidence["screenshots"] = sorted(path.name for path in SCREENSHOTS.glob("*.png"))
    return evidence
