"""The report of one deployment, for people: a timeline of each host as JSON and as one page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from signupflow.release.ledger import RELEASED, Record
from signupflow.release.rollout import BACKWARD, Step
from signupflow.render import template

TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"

# The picture, in its own units: a row for each host, a scale below.
WIDTH, ROW, LABEL, BAR = 1000, 44, 190, 22
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
MOST_TICKS = 9

# What a step is for, which is what its colour tells.
GROUPS = {
    "prepare": (Step.WRITE, Step.START, Step.HEALTH, Step.VERIFY, Step.SOAK),
    "shift": (Step.SHIFT, Step.PROMOTE, Step.SWITCH),
    "drain": (Step.STOP,),
    "watch": (Step.SMOKE, Step.BAKE, Step.FINISH),
    "roll back": BACKWARD,
}


@dataclass(frozen=True)
class Span:
    """One step of one host: seconds since the run began."""

    host: str
    step: str
    begin: float
    end: float

    @property
    def group(self) -> str:
        return next((name for name, steps in GROUPS.items() if self.step in steps), "watch")


@dataclass(frozen=True)
class Report:
    """A record, what served before it, and when each step ran."""

    record: Record
    environment: str
    version_before: str
    spans: tuple[Span, ...]
    failures: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name without its ending: sorts by time, says what it was."""
        moment = self.record.started_at.partition("+")[0].replace(":", "")
        version = f"-{self.record.version}" if self.record.version else ""
        return f"{moment}-{self.record.kind}{version}-{self.record.run[:6]}"

    def as_json(self) -> str:
        return json.dumps({"report": 1, **asdict(self)}, indent=2) + "\n"

    def as_html(self) -> str:
        return template(TEMPLATE, report=self, record=self.record, good=self.record.outcome == RELEASED, picture=picture(self))


def write(report: Report, folder: Path) -> Path:
    """Both files; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{report.name}.json").write_text(report.as_json())
    page = folder / f"{report.name}.html"
    page.write_text(report.as_html())
    return page


def picture(report: Report) -> dict[str, Any]:
    """Bars and ticks in the picture's units."""
    hosts = list(dict.fromkeys(span.host for span in report.spans))
    seconds = max([span.end for span in report.spans] + [report.record.seconds, 1.0])
    scale = (WIDTH - LABEL) / seconds
    bars = [
        {
            "x": round(LABEL + span.begin * scale, 1),
            "y": hosts.index(span.host) * ROW + (ROW - BAR) // 2,
            "width": round(max((span.end - span.begin) * scale, 1.5), 1),
            "group": span.group.replace(" ", "-"),
            "title": f"{span.host}: {span.step}, {span.end - span.begin:.1f} s",
        }
        for span in report.spans
    ]
    return {
        "width": WIDTH,
        "height": len(hosts) * ROW + 34,
        "bar": BAR,
        "bottom": len(hosts) * ROW,
        "hosts": [{"name": host, "y": index * ROW + ROW // 2 + 4} for index, host in enumerate(hosts)],
        "bars": bars,
        "ticks": [{"x": round(LABEL + at * scale, 1), "label": f"{at} s"} for at in ticks(seconds)],
        "groups": [name for name in GROUPS if any(span.group == name for span in report.spans)],
    }


def ticks(seconds: float) -> Sequence[int]:
    """Round moments, few enough to be read."""
    every = next((step for step in TICKS if seconds / step <= MOST_TICKS), TICKS[-1])
    return range(0, int(seconds) + 1, every)
