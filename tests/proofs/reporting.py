"""The reports that a real release and a failed one leave: their pages, as a browser without a network shows them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lab.client import ROOT, Lab
from tests import releases
from tests.browser.page import DESKTOP, PHONE, Site, browser
from tests.proofs.releasing import Evidence, Released, baseline, must, release

SCREENSHOTS = ROOT / "docs" / "evidence" / "reports"


def pages_of_two_releases(lab: Lab, screenshots: Path = SCREENSHOTS) -> Evidence:
    """One that went well and one that was rolled back; each page asks nobody for anything and says how it ended."""
    baseline(lab, releases.image("good", 2))
    well = must(release(lab, releases.image("good", 1)))
    # It crashes by itself, so that nobody has to send it anything: seen in the bake, after it had all traffic.
    failed = release(lab, releases.image("crash", 91, 12), app_bake_seconds=30)
    assert failed.code != 0, failed.said[-2000:]
    screenshots.mkdir(parents=True, exist_ok=True)
    return {
        "released": _looked_at(_page(well), screenshots / "released"),
        "failed": _looked_at(_page(failed), screenshots / "failed", why=failed.why.removeprefix("Error: ")),
        "screenshots": sorted(path.name for path in screenshots.glob("*.png")),
    }


def _page(done: Released) -> Path:
    """Where the run says that its report is."""
    found = re.search(r"^--> Report: (\S+\.html)$", done.said, re.MULTILINE)
    assert found, done.said[-2000:]
    return ROOT / found[1]


def _looked_at(page: Path, picture: Path, why: str = "") -> Evidence:
    record = json.loads(page.with_suffix(".json").read_text())
    asked: list[str] = []
    faults: list[str] = []
    with browser(Site("http://nowhere.test", "http://nowhere.test")) as chromium:
        for name, size in (("", DESKTOP), ("-phone", PHONE)):
            shown = chromium.new_page(viewport={"width": size["width"], "height": size["height"]})
            shown.on("request", lambda request: asked.append(request.url))
            shown.on("pageerror", lambda error: faults.append(str(error)))
            shown.goto(page.as_uri())
            text = shown.locator("body").inner_text()
            wide = shown.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            shown.screenshot(path=f"{picture}{name}.png", full_page=True)
            assert not wide or name == "", f"{page.name} is wider than a phone"
            shown.close()
    evidence: Evidence = {
        "asked_for": sorted({url for url in asked if not url.startswith(page.as_uri())}),
        "script_errors": faults,
        "says_why": why[:60] in text,
        "keys": sorted(record),
    }
    assert not evidence["asked_for"], evidence
    assert not faults, evidence
    assert evidence["says_why"], (why, text[:2000])
    return evidence
