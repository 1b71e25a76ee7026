"""The gate between a scan and the registry: reports as Trivy filters them, and exceptions that run out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lab.client import ROOT
from pipeline import exceptions, scan
from pipeline.build import Build
from signupflow.errors import OperatorError
from tests.delivery.program import run
from tests.delivery.test_build import COMMIT, CONFIG

REPORTS = Path(__file__).parent / "reports"
FILE = ".trivyignore.yaml"
TODAY = date(2026, 11, 26)
ENTRY = """vulnerabilities:
  - id: CVE-2026-33333
    purls: ["pkg:deb/debian/libssl3t64"]
    statement: the image speaks no TLS
    expired_at: 2026-11-27
"""
NONE = "vulnerabilities: []\n"


def read(name: str) -> scan.Scan:
    return scan.read((REPORTS / f"{name}.json").read_text(), f"{name}.json")


def test_sec004_a_report_that_names_nothing_passes() -> None:
    found = read("clean")
    assert found.vulnerabilities == ()
    assert "Image scan: passed" in scan.as_markdown(found, (), TODAY)


def test_sec004_whatever_a_report_names_is_refused_and_the_table_says_what_to_do() -> None:
    found = read("fixable")
    assert [item.id for item in found.vulnerabilities] == ["CVE-2026-33333", "CVE-2026-44444"], "the critical one first"
    table = scan.as_markdown(found, (), TODAY).splitlines()
    assert "## Image scan: refused, 2 to fix" in table
    assert "| CVE-2026-44444 | urllib3 | 2.4.0 | 2.5.0, 1.26.21 | high | update urllib3 to 2.5.0, 1.26.21 |" in table


def test_sec004_an_exception_that_is_over_is_named() -> None:
    entries = exceptions.parse(ENTRY, FILE, TODAY)
    assert "are over" not in scan.as_markdown(read("clean"), entries, TODAY)
    assert "to be taken out of `.trivyignore.yaml`: CVE-2026-33333 (since 2026-11-27)" in scan.as_markdown(
        read("clean"), entries, date(2026, 11, 27)
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ENTRY.replace("statement", "reason"), "reason is no key of an entry"),
        (ENTRY + "    severity: HIGH\n", "severity is no key of an entry"),
        (ENTRY.replace("    expired_at: 2026-11-27\n", ""), "expired_at is missing"),
        (ENTRY.replace("2026-11-27", '"2026-11-27"'), "expired_at must be a date"),
        (ENTRY.replace("2026-11-27", "2026-11-27T00:00:00"), "expired_at must be a date"),
        (ENTRY.replace("2026-11-27", "2026-12-27"), "more than 30 days away"),
        (ENTRY.replace("the image speaks no TLS", '"  "'), "statement must say why"),
        (ENTRY.replace("CVE-2026-33333", "CVE-2026-*"), "no id such as CVE-2026-12345"),
        (ENTRY.replace("CVE-2026-33333", '"*"'), "no id such as"),
        (ENTRY.replace('["pkg:deb/debian/libssl3t64"]', "[]"), "purls must list packages"),
        (ENTRY.replace('["pkg:deb/debian/libssl3t64"]', "pkg:deb/debian/libssl3t64"), "purls must list packages"),
        (ENTRY.replace("pkg:deb/debian/libssl3t64", "pkg:deb/debian/*"), "purls must list packages"),
        (ENTRY.replace("pkg:deb/debian/libssl3t64", "pkg:deb"), "purls must list packages"),
        (NONE + "misconfigurations: []\n", "must hold one key, vulnerabilities"),
        ("", "must hold one key, vulnerabilities"),
        ("vulnerabilities: 1\n", "with a list of entries"),
        ("vulnerabilities: [CVE-2026-33333]\n", "an entry has id, purls, statement and expired_at"),
        ("vulnerabilities: [\n", "is no YAML"),
        (ENTRY + "  - id: CVE-2026-1111\n", "entry 2: expired_at is missing"),
    ],
)
def test_sec004_exceptions_that_are_not_exact_are_refused(text: str, why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        exceptions.parse(text, FILE, TODAY)


def test_sec004_the_exceptions_of_this_repository_are_exact() -> None:
    exceptions.parse((ROOT / FILE).read_text(), FILE, date.today())


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.update(SchemaVersion=1),
        lambda report: report.update(Results=[]),
        lambda report: report.update(Results=None),
        lambda report: report.pop("Results"),
        lambda report: report.pop("Metadata"),
        lambda report: report.update(ArtifactType="filesystem"),
        lambda report: report["Results"][0]["Vulnerabilities"][0].pop("Severity"),
        lambda report: report["Results"][0].update(Vulnerabilities=["CVE"]),
    ],
)
def test_sec004_a_report_that_is_not_understood_passes_nothing(change: Callable[[Any], object]) -> None:
    report = json.loads((REPORTS / "fixable.json").read_text())
    change(report)
    with pytest.raises(OperatorError, match=r"scan\.json"):
        scan.read(json.dumps(report), "scan.json")
    for text in ("", "[]", "null", '{"SchemaVersion": 2}'):
        with pytest.raises(OperatorError, match=r"scan\.json"):
            scan.read(text, "scan.json")


def gate(
    folder: Path, report: str, entries: str = NONE, today: str = "2026-11-26", config: str = CONFIG
) -> subprocess.CompletedProcess[str]:
    (folder / FILE).write_text(entries)
    (folder / "build.json").write_text(Build("acme/signupflow", "1.4.0-g0123456789ab", COMMIT, config).as_json())
    words = ["--report", REPORTS / report, "--build", folder / "build.json", "--today", today]
    return run(folder, "gate", *map(str, words), variables={})


def test_sec004_the_gate_s_exit_code_says_passed_refused_or_cannot_tell(tmp_path: Path) -> None:
    assert gate(tmp_path, "clean.json").returncode == 0
    refused = gate(tmp_path, "fixable.json")
    assert refused.returncode == 1
    assert refused.stderr == "Error: the image is refused for CVE-2026-33333, CVE-2026-44444; the table says what to do\n"
    assert "| CVE-2026-33333 | libssl3t64 |" in (tmp_path / "summary.md").read_text()
    assert gate(tmp_path, "nothing.json").returncode == 2
    too_long = gate(tmp_path, "clean.json", entries=ENTRY, today="2026-10-01")
    assert too_long.returncode == 2
    assert "more than 30 days away" in too_long.stderr
    other = gate(tmp_path, "clean.json", config="sha256:" + "9" * 64)
    assert other.returncode == 2
    assert "scan this build" in other.stderr
