"""The report of a deployment: a picture in which every step is where it belongs, and nothing that a person wrote is markup."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

from signupflow.release.ledger import Record
from signupflow.report import Report, Span, picture, ticks, write

RECORD = Record(
    "0123456789ab", "app", "2.0", "sha256:0", "b4e6", "ada@desk", "<script>alert(1)</script>", "2026-11-24T10:00:00+00:00", 60.0,
    "released", "", ("web1", "web2"), (), {"sent": 300, "failed": 0, "p99_ms": 41}, {}, commit="0123456789abcdef",
)  # fmt: skip
SPANS = (
    Span("web1", "start", 10, 12),
    Span("web1", "bake", 12, 30),
    Span("web2", "start", 30, 32),
    Span("web2", "remove", 32, 33),
)
REPORT = Report(RECORD, "production", "1.9", SPANS, ("10:00:01 503",))


def test_sc002_each_step_is_a_bar_where_and_as_long_as_it_ran() -> None:
    drawn = picture(REPORT)
    first, second, third, _ = drawn["bars"]
    assert first["y"] == second["y"] < third["y"]
    assert first["x"] + first["width"] == second["x"]
    assert second["width"] == 9 * first["width"]
    assert [bar["group"] for bar in drawn["bars"]] == ["prepare", "watch", "prepare", "roll-back"]
    assert drawn["groups"] == ["prepare", "watch", "roll back"]
    assert all(bar["x"] + bar["width"] <= drawn["width"] for bar in drawn["bars"])


def test_sc002_the_scale_is_round_and_can_be_read() -> None:
    for seconds in (0.5, 1, 9, 61, 599, 4000, 40000):
        marks = list(ticks(seconds))
        assert marks[0] == 0
        assert len(marks) <= 13, seconds


def test_sc002_the_page_is_whole_by_itself_and_escapes_what_people_wrote(tmp_path: Path) -> None:
    page = write(REPORT, tmp_path / "reports")
    text = page.read_text()
    assert page.name == "2026-11-24T100000-release-2.0-012345.html"
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    for outside in ("http://", "https://", "src=", "@import", "url("):
        assert outside not in text, outside
    for word in ("300 requests, 0 failed", "web2", "1.9", "503", "ada@desk"):
        assert word in text, word
    ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])
    kept = json.loads(page.with_suffix(".json").read_text())
    assert kept["record"]["version"] == "2.0"
    assert kept["spans"][1] == {"host": "web1", "step": "bake", "begin": 12, "end": 30}


def test_sc002_a_deployment_without_rollouts_has_a_page_too(tmp_path: Path) -> None:
    bare = dataclasses.replace(
        RECORD, probe=None, version="", kind="maintenance", outcome="failed", failure_reason="no <b>disk</b>", commit=""
    )
    text = write(Report(bare, "lab", "", ()), tmp_path).read_text()
    assert "<svg" not in text
    assert "no &lt;b&gt;disk&lt;/b&gt;" in text
