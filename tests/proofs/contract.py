"""The API against its own OpenAPI document, with as many examples as a proof has time for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

from lab.client import ROOT

Evidence = dict[str, Any]

EXAMPLES = 100


def holds(examples: int = EXAMPLES) -> Evidence:
    """Run schemathesis (tests/app/test_contract.py): up to `examples` requests for each operation, on PostgreSQL."""
    report = ROOT / ".build" / "contract.xml"
    command = [sys.executable, "-m", "pytest", "-q", "tests/app/test_contract.py", f"--junit-xml={report}", "-o", "timeout=3000"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "CONTRACT_EXAMPLES": str(examples)}, capture_output=True, text=True, check=False
    )
    suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    evidence = {
        "examples_for_each_operation": examples,
        "checks": [case.get("name") for case in suite.iter("testcase")],
        "tests": int(suite.get("tests", 0)),
        "failures": int(suite.get("failures", 0)) + int(suite.get("errors", 0)),
        "seconds": float(suite.get("time", 0)),
    }
    assert done.returncode == 0, {**evidence, "said": done.stdout[-3000:]}
    assert evidence["tests"], evidence
    return evidence
