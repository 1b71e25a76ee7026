"""What stands in for the actions that workflows use: `stand_ins.py OWNER/NAME`, called by act in the place of each.

An action's `with` is in INPUT_ variables, as act hands it on. What a run needs to know besides is in RUN_ variables (github.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

WANTED, REJECTED = "approval wanted: ", "not approved: "


def checkout() -> None:
    """A job begins here: it waits for its approval, gets a home of its own, and the commit.

    With `RUN_VENV` also that virtual environment by hard links: `make setup` then finds it and installs nothing.
    """
    waiting = json.loads(os.environ["RUN_APPROVALS"])
    if environment := waiting.get(os.environ["GITHUB_JOB"]):
        print(f"{WANTED}{environment}", flush=True)
        with Path(os.environ["RUN_ANSWERS"]).open() as answers:
            if answers.readline() != "approved\n":
                sys.exit(f"{REJECTED}{environment}")
    # A runner is a new machine: nobody's keys and logins are there, and none of this job stay.
    home = Path(os.environ["RUNNER_TEMP"]) / "home"
    home.mkdir(mode=0o700, parents=True)
    with Path(os.environ["GITHUB_ENV"]).open("a") as file:
        file.write(f"HOME={home}\n")
    git = ("git", "-c", "advice.detachedHead=false")
    subprocess.run([*git, "clone", "--quiet", os.environ["RUN_ORIGIN"], "."], check=True)
    subprocess.run([*git, "checkout", "--quiet", "--detach", _input("ref") or os.environ["GITHUB_SHA"]], check=True)
    if venv := os.environ.get("RUN_VENV"):
        subprocess.run(["cp", "--archive", "--link", venv, ".venv"], check=True)
        for name in ("bin/signupflow", ".installed"):
            Path(".venv", name).unlink(missing_ok=True)


def upload() -> None:
    """Files by the last part of their paths, as the action keeps what it is given one folder of."""
    target = Path(os.environ["RUN_ARTIFACTS"], os.environ["GITHUB_RUN_ID"], _input("name"))
    there = [path for line in _input("path").split() if (path := Path(line)).exists()]
    if not there:
        if _input("if-no-files-found") == "error":
            sys.exit(f"nothing at {_input('path')}")
        return
    target.mkdir(parents=True)
    for path in there:
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)


def download() -> None:
    """From the run that is named, or from this one."""
    run = _input("run-id") or os.environ["GITHUB_RUN_ID"]
    source = Path(os.environ["RUN_ARTIFACTS"], run, _input("name"))
    if not source.is_dir():
        sys.exit(f"run {run} has no artifact {_input('name')}")
    shutil.copytree(source, _input("path") or ".", dirs_exist_ok=True)


def scan() -> None:
    """The scanner's part, recorded: its program and its data are not to be had here."""
    if _input("format") == "cyclonedx":
        content: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}
    else:
        found = {
            **{"VulnerabilityID": "CVE-2026-0001", "PkgName": "libexample", "InstalledVersion": "1.0"},
            **{"FixedVersion": "1.1", "Severity": "HIGH"},
        }
        content = {
            "SchemaVersion": 2,
            "ArtifactName": "delivery/image.tar",
            "ArtifactType": "container_image",
            "Metadata": {"ImageID": json.loads(Path("delivery/build.json").read_text())["config"]},
            "Results": [{"Target": "debian", "Class": "os-pkgs", "Type": "debian"}],
        }
        if os.environ["RUN_SCAN_FINDS"] == "fixable":
            content["Results"][0]["Vulnerabilities"] = [found]
    Path(_input("output")).write_text(json.dumps(content))


def attest() -> None:
    """Signing needs GitHub's identity: what would be attested has to be there, and is not."""
    name, digest = _input("subject-name"), _input("subject-digest")
    if not name or not digest.startswith("sha256:"):
        sys.exit(f"{name!r} at {digest!r} is nothing to attest")
    if (sbom := _input("sbom-path")) and not Path(sbom).is_file():
        sys.exit(f"no SBOM at {sbom}")
    print(f"not attested here: {name}@{digest}")


ACTIONS: dict[str, Callable[[], None]] = {
    "actions/checkout": checkout,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
    "actions/attest": attest,
    "aquasecurity/trivy-action": scan,
}


def _input(name: str) -> str:
    return os.environ.get(f"INPUT_{name.upper()}", "")


if __name__ == "__main__":
    ACTIONS[sys.argv[1]]()
