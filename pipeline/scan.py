"""What Trivy's report of an image says, and of which image: JSON, schema version 2.

Trivy leaves out what nobody has fixed, what is not grave and what .trivyignore.yaml exempts (see image.yml).
Whatever it still names stops the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.exceptions import Exempt
from signupflow.errors import OperatorError

SCHEMA = 2
SEVERITIES = ("CRITICAL", "HIGH")


@dataclass(frozen=True)
class Vulnerability:
    """`fixed` is the version to update to, as the report writes it."""

    id: str
    package: str
    installed: str
    fixed: str
    severity: str


@dataclass(frozen=True)
class Scan:
    """`image` is the id of the image that was looked at."""

    image: str
    vulnerabilities: tuple[Vulnerability, ...]


def read(text: str, path: str) -> Scan:
    """A report. OperatorError for anything that is not whole: what was not understood was not scanned."""
    try:
        found = json.loads(text)
        if found["SchemaVersion"] != SCHEMA:
            raise OperatorError(
                f"{path} is a report of schema {found['SchemaVersion']}, not {SCHEMA}; this gate reads Trivy's {SCHEMA}"
            )
        if found["ArtifactType"] != "container_image" or not isinstance(found["Results"], list) or not found["Results"]:
            raise OperatorError(f"{path} is no report of an image in which something was found to look at; scan the image itself")
        image: str = found["Metadata"]["ImageID"]
        return Scan(image, tuple(sorted(_all(found["Results"]), key=_order)))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OperatorError(f"{path} is no whole JSON report of Trivy; run the scan again") from None


def as_markdown(scan: Scan, entries: Sequence[Exempt], today: date) -> str:
    """For people: what stops the image and what to do, and which exceptions are over."""
    found = scan.vulnerabilities
    parts = ["## Image scan: " + (f"refused, {len(found)} to fix" if found else "passed")]
    if found:
        rows = [(item.id, item.package, item.installed, item.fixed, item.severity.lower(), advice(item)) for item in found]
        parts.append(_table(("id", "package", "installed", "fixed in", "severity", "what to do"), rows))
        parts.append(
            "Where an update is not possible yet, an entry in `.trivyignore.yaml` lets one vulnerability through until a date; "
            "SECURITY.md says who may add one."
        )
    if over := [entry for entry in entries if entry.until <= today]:
        named = ", ".join(f"{entry.id} (since {entry.until})" for entry in over)
        parts.append(f"Exceptions that are over, to be taken out of `.trivyignore.yaml`: {named}.")
    return "\n\n".join(parts) + "\n"


def advice(found: Vulnerability) -> str:
    return f"update {found.package} to {found.fixed}" if found.fixed else "no fix is released: did the scan use --ignore-unfixed?"


def _all(results: Iterable[Mapping[str, Any]]) -> Iterable[Vulnerability]:
    for result in results:
        for found in result.get("Vulnerabilities") or ():
            yield Vulnerability(
                id=found["VulnerabilityID"],
                package=found["PkgName"],
                installed=found["InstalledVersion"],
                fixed=found.get("FixedVersion", ""),
                severity=found["Severity"],
            )


def _order(found: Vulnerability) -> tuple[int, str, str]:
    grave = SEVERITIES.index(found.severity) if found.severity in SEVERITIES else len(SEVERITIES)
    return (grave, found.package, found.id)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |" for line in lines)
