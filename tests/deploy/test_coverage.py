"""The evidence that planner and state machine are tested whole; `make check` fails when they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.client import ROOT
from tests.evidence.plugin import Evidence

pytestmark = pytest.mark.full


@pytest.mark.proof("state-machine")
def test_us5_3_the_release_code_is_covered_to_the_last_branch(tmp_path: Path, evidence: Evidence) -> None:
    """Statements and branches of the pure release code that its tests run through, of all there are."""
    data, report = f"--data-file={tmp_path / 'data'}", tmp_path / "report.json"
    done = coverage("run", data, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "whole", "tests/deploy")
    assert done.returncode == 0, done.stdout[-3000:]
    coverage("json", "-q", data, "-o", str(report), "--fail-under=0")
    files = json.loads(report.read_text())["files"]
    found: dict[str, Any] = {name: row["summary"] | {"missing": row["missing_lines"]} for name, row in files.items()}
    evidence(found)
    assert {row["percent_covered"] for row in found.values()} == {100.0}


def coverage(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverage", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
