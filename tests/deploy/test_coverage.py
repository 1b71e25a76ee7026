"""The planner and the state machine are tested whole: every line and branch, without a mock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.lab_client import ROOT

PURE = (
    "turn",
    "resume",
    "plan",
    "lease",
    "journal",
    "ledger",
    "appended",
    "served",
    "restores",
    "agreement",
    "rollback",
    "prune",
    "watch",
    "readiness",
    "schema",
    "lint",
    "cause",
    "scratch",
)
TESTS = ("test_turn.py", "test_release_code.py", "test_schema_plan.py", "test_rollback.py")


def measured(folder: Path) -> dict[str, dict[str, float]]:
    """Module to its coverage, by a run of the pure tests of its own."""
    data, report = folder / "data", folder / "report.json"
    include = ",".join(f"signupflow/release/{name}.py" for name in PURE)
    tests = [f"tests/deploy/{name}" for name in TESTS]
    coverage = [sys.executable, "-m", "coverage"]
    run = [
        *coverage,
        "run",
        "--branch",
        f"--include={include}",
        f"--data-file={data}",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*run, *tests], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    subprocess.run([*coverage, "json", "-q", f"--data-file={data}", "-o", str(report)], cwd=ROOT, check=True, capture_output=True)
    files = json.loads(report.read_text())["files"]
    return {name: found["summary"] | {"missing": found["missing_lines"]} for name, found in files.items()}


def test_us5_3_the_release_code_is_covered_to_the_last_branch(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert {Path(name).stem for name in found} == set(PURE)
    partial = {name: summary for name, summary in found.items() if summary["percent_covered"] < 100}
    assert not partial, json.dumps(partial, indent=1)


def test_us5_3_no_mock_is_used_to_test_it() -> None:
    for name in TESTS:
        text = (ROOT / "tests" / "deploy" / name).read_text()
        assert "mock" not in text.lower(), name
