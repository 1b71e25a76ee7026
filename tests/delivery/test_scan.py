"""The gate between a scan and the registry: recorded reports of Trivy, and an allow-list whose entries run out."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

from lab.client import ROOT
from pipeline import allowed, scan
from pipeline.build import Build
from signupflow.errors import OperatorError
from tests.delivery.program import run
from tests.delivery.test_build import COMMIT, CONFIG

REPORTS = Path(__file__).parent / "reports"
TODAY = date(2026, 11, 26)
ENTRY = """[[allowed]]
id = "CVE-2026-33333"
package = "libssl3t64"
reason = "the image speaks no TLS"
until = 2026-11-26
"""


def read(name: str) -> scan.Scan:
    return scan.read((REPORTS / f"{name}.json").read_text(), f"{name}.json")


def test_sec004_what_nobody_has_fixed_and_what_is_not_grave_stops_nothing() -> None:
    verdict = scan.judge(read("clean"), (), TODAY)
    assert verdict.passes
    assert [found.id for found in verdict.unfixed] == ["CVE-2026-11111"]
    assert "Image scan: passed" in scan.as_markdown(verdict)


def test_sec004_a_fixable_high_or_critical_is_refused_and_the_table_says_what_to_do() -> None:
    verdict = scan.judge(read("fixable"), (), TODAY)
    assert not verdict.passes
    assert [found.id for found, _ in verdict.refused] == ["CVE-2026-33333", "CVE-2026-44444"], "the critical one first"
    table = scan.as_markdown(verdict).splitlines()
    assert "| id | package | installed | fixed in | severity | what to do |" in table
    assert "| CVE-2026-44444 | urllib3 | 2.4.0 | 2.5.0, 1.26.21 | high | update urllib3 to 2.5.0, 1.26.21 |" in table


def test_sec004_an_entry_lets_one_through_until_its_day_is_over() -> None:
    entries = allowed.parse(ENTRY, "allowed.toml")
    verdict = scan.judge(read("fixable"), entries, TODAY)
    assert [found.id for found, _ in verdict.refused] == ["CVE-2026-44444"]
    assert "the image speaks no TLS (until 2026-11-26)" in scan.as_markdown(verdict)
    after = scan.judge(read("fixable"), entries, date(2026, 11, 27))
    assert [found.id for found, _ in after.refused] == ["CVE-2026-33333", "CVE-2026-44444"]
    assert "the exception ran out on 2026-11-26" in scan.as_markdown(after)
    assert after.unused == entries


def test_sec004_an_entry_for_another_package_lets_nothing_through() -> None:
    entries = allowed.parse(ENTRY.replace("libssl3t64", "openssl"), "allowed.toml")
    verdict = scan.judge(read("fixable"), entries, TODAY)
    assert len(verdict.refused) == 2
    assert verdict.unused == entries
    assert "to be taken out: CVE-2026-33333 (openssl, until 2026-11-26)" in scan.as_markdown(verdict)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ENTRY.replace("reason", "reasons"), "reason is missing"),
        (ENTRY + 'severity = "HIGH"\n', "severity is no key of an entry"),
        (ENTRY.replace("until = 2026-11-26\n", ""), "until is missing"),
        (ENTRY.replace("2026-11-26", '"2026-11-26"'), "until must be a date"),
        (ENTRY.replace("2026-11-26", "2026-11-26T00:00:00"), "until must be a date"),
        (ENTRY.replace("the image speaks no TLS", "  "), "reason must be text"),
        (ENTRY.replace("CVE-2026-33333", "CVE-2026-*"), "no id such as CVE-2026-12345"),
        (ENTRY.replace("CVE-2026-33333", "*"), "no id such as"),
        ("[allow]\n", "allow is no key of an allow-list"),
        ("allowed = 1\n", "entries"),
        ("[[allowed]\n", "is no TOML"),
        (ENTRY + ENTRY.replace("package", "packages"), "entry 2: package is missing"),
    ],
)
def test_sec004_an_allow_list_that_is_not_exact_is_refused(text: str, why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        allowed.parse(text, "allowed.toml")


def test_sec004_the_allow_list_of_this_repository_is_one() -> None:
    path = ROOT / "security" / "allowed.toml"
    entries = allowed.parse(path.read_text(), str(path))
    assert all((entry.until - TODAY).days < 400 for entry in entries)


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
def test_sec004_a_report_that_is_not_understood_passes_nothing(change) -> None:
    report = json.loads((REPORTS / "fixable.json").read_text())
    change(report)
    with pytest.raises(OperatorError, match=r"scan\.json"):
        scan.read(json.dumps(report), "scan.json")
    for text in ("", "[]", "null", '{"SchemaVersion": 2}'):
        with pytest.raises(OperatorError, match=r"scan\.json"):
            scan.read(text, "scan.json")


def gate(
    folder: Path, report: str, entries: str = "", today: str = "2026-11-26", config: str = CONFIG
) -> subprocess.CompletedProcess[str]:
    (folder / "allowed.toml").write_text(entries)
    (folder / "build.json").write_text(Build("acme/signupflow", "1.4.0-g0123456789ab", COMMIT, config).as_json())
    words = [
        "--report",
        REPORTS / report,
        "--allow-list",
        folder / "allowed.toml",
        "--build",
        folder / "build.json",
        "--today",
        today,
    ]
    return run(folder, "gate", *map(str, words), variables={})


def test_sec004_the_gate_s_exit_code_says_passed_refused_or_cannot_tell(tmp_path: Path) -> None:
    assert gate(tmp_path, "clean.json").returncode == 0
    refused = gate(tmp_path, "fixable.json")
    assert refused.returncode == 1
    assert refused.stderr == "Error: the image is refused for CVE-2026-33333, CVE-2026-44444; the table says what to do\n"
    assert "| CVE-2026-33333 | libssl3t64 |" in (tmp_path / "summary.md").read_text()
    assert gate(tmp_path, "nothing.json").returncode == 2
    assert gate(tmp_path, "clean.json", entries="[[allowed]]\n").returncode == 2
    other = gate(tmp_path, "clean.json", config="sha256:" + "9" * 64)
    assert other.returncode == 2
    assert "scan this build" in other.stderr
