"""What a scanner found in an image, and whether it may be shipped: Trivy's JSON, schema version 2."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.allowed import Allowed, covering
from signupflow.errors import OperatorError

SCHEMA = 2
# What is refused when there is a version without it.
GRAVE = ("CRITICAL", "HIGH")


@dataclass(frozen=True)
class Vulnerability:
    """`fixed` is empty when nobody has fixed it yet."""

    id: str
    package: str
    installed: str
    fixed: str
    severity: str
    target: str

    @property
    def grave(self) -> bool:
        return self.severity in GRAVE

    @property
    def refused(self) -> bool:
        """Grave, and there is something to do about it."""
        return self.grave and bool(self.fixed)


@dataclass(frozen=True)
class Scan:
    """`image` is the id of the image that was looked at."""

    image: str
    vulnerabilities: tuple[Vulnerability, ...]


@dataclass(frozen=True)
class Verdict:
    """`refused` are not allowed; each with the entry that ran out, when there was one. `unused` entries allow nothing."""

    refused: tuple[tuple[Vulnerability, Allowed | None], ...]
    allowed: tuple[tuple[Vulnerability, Allowed], ...]
    unfixed: tuple[Vulnerability, ...]
    unused: tuple[Allowed, ...]

    @property
    def passes(self) -> bool:
        return not self.refused


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


def judge(scan: Scan, entries: Sequence[Allowed], today: date) -> Verdict:
    """Every fixable high or critical vulnerability is refused, unless an entry allows it today."""
    refused: list[tuple[Vulnerability, Allowed | None]] = []
    allowed: list[tuple[Vulnerability, Allowed]] = []
    for found in scan.vulnerabilities:
        if not found.refused:
            continue
        entry = covering(entries, found.id, found.package)
        if entry and entry.counts(today):
            allowed.append((found, entry))
        else:
            refused.append((found, entry))
    used = {id(entry) for _, entry in allowed}
    return Verdict(
        refused=tuple(refused),
        allowed=tuple(allowed),
        unfixed=tuple(found for found in scan.vulnerabilities if found.grave and not found.fixed),
        unused=tuple(entry for entry in entries if id(entry) not in used),
    )


def advice(found: Vulnerability, ran_out: Allowed | None) -> str:
    """What to do about one that is refused."""
    what = f"update {found.package} to {found.fixed}"
    return f"{what}; the exception ran out on {ran_out.until}" if ran_out else what


def as_markdown(verdict: Verdict) -> str:
    """For people: what is refused, what is allowed and until when, what nobody has fixed."""
    parts = ["## Image scan: " + ("passed" if verdict.passes else f"refused, {len(verdict.refused)} to mend")]
    if verdict.refused:
        rows = [(*_cells(found), advice(found, entry)) for found, entry in verdict.refused]
        parts.append(_table(("id", "package", "installed", "fixed in", "severity", "what to do"), rows))
        parts.append(
            "Where an update is not possible yet, an entry in `security/allowed.toml` lets one vulnerability through until a "
            "date; SECURITY.md says who may add one."
        )
    if verdict.allowed:
        rows = [(*_cells(found), f"{entry.reason} (until {entry.until})") for found, entry in verdict.allowed]
        parts.append("### Allowed for now")
        parts.append(_table(("id", "package", "installed", "fixed in", "severity", "why"), rows))
    if verdict.unfixed:
        parts.append(f"{len(verdict.unfixed)} more of severity high or critical have no fixed version yet; they stop nothing.")
    if verdict.unused:
        named = ", ".join(f"{entry.id} ({entry.package}, until {entry.until})" for entry in verdict.unused)
        parts.append(f"Entries of the allow-list that allow nothing any more, to be taken out: {named}.")
    return "\n\n".join(parts) + "\n"


def _all(results: Iterable[Mapping[str, Any]]) -> Iterable[Vulnerability]:
    for result in results:
        for found in result.get("Vulnerabilities") or ():
            yield Vulnerability(
                id=found["VulnerabilityID"],
                package=found["PkgName"],
                installed=found["InstalledVersion"],
                fixed=found.get("FixedVersion", ""),
                severity=found["Severity"],
                target=result["Target"],
            )


def _order(found: Vulnerability) -> tuple[int, str, str]:
    return (GRAVE.index(found.severity) if found.grave else len(GRAVE), found.package, found.id)


def _cells(found: Vulnerability) -> tuple[str, ...]:
    return (found.id, found.package, found.installed, found.fixed, found.severity.lower())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |" for line in lines)
