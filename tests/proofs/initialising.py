"""`signupflow init` against bare hosts: the transcript, replayed in a fresh clone, up to the app's answer over HTTPS."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab import pki
from lab.client import PYINFRA, ROOT, Lab
from signupflow.cli.init import host_keys
from tests.proofs import transcript
from tests.proofs.fresh_clone import clone

TRANSCRIPT = ROOT / "tests" / "acceptance" / "init_transcript.txt"


def fingerprint(known_hosts: str, address: str) -> str:
    """Of the host's ed25519 key, as the lab read it on the host itself."""
    (found,) = (key.fingerprint for key in host_keys.pinned(known_hosts, address) if key.kind == "ssh-ed25519")
    return found


def known(lab: Lab, folder: Path) -> dict[str, str]:
    """What the transcript leaves open: the lab's names, addresses, keys and servers."""
    first, second = lab["hosts"][:2]
    pinned = Path(lab["known_hosts"]).read_text()
    return {
        "folder": str(folder),
        "h1": first["fqdn"],
        "a1": first["address"],
        "f1": fingerprint(pinned, first["address"]),
        "h2": second["fqdn"],
        "a2": second["address"],
        "f2": fingerprint(pinned, second["address"]),
        "domain": lab["domains"][0],
        "zone": lab["zone"],
        "key": lab["ssh_key"],
        "acme_directory": lab["acme_directory"],
        "acme_ca_file": lab["acme_ca_file"],
        "ca_file": lab["ca_file"],
        "mirror": lab["registry_mirror"],
        "traefik_image": lab["traefik_image"],
        "dns": lab["dns"],
        "s3_endpoint": lab["s3_endpoint_address"],
        "s3_bucket": lab["s3_bucket"],
        "s3_ca_file": lab["s3_ca_file"],
        "recipient": pki.recipient(Path(lab["escrow_key_file"])),
        "s3_access_key": lab["s3_access_key"],
        "s3_secret_key": lab["s3_secret_key"],
    }


def by_transcript(lab: Lab) -> dict[str, Any]:
    """Nothing but what the transcript types: from two bare hosts to the app. Its key is made in a home of its own."""
    programs = {"signupflow": [sys.executable, "-m", "signupflow"], "pyinfra": [PYINFRA]}
    with clone() as folder, tempfile.TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNUPFLOW_", "S3_", "LAB_"))}
        environment = {**kept, "HOME": home, "COLUMNS": str(transcript.COLUMNS)}
        played = transcript.replay(TRANSCRIPT.read_text(), known(lab, folder), programs, folder, environment)
        steps = [{"command": " ".join(step.command.split()[:3]), "seconds": round(seconds, 1)} for step, seconds in played]
        written = sorted(
            str(path.relative_to(folder))
            for path in [*folder.glob("*"), *folder.glob("group_data/*.py"), *folder.glob("secrets/*")]
            if path.is_file() and lab["zone"] in path.read_text(errors="replace")
        )
    health = lab.wait_for_health(lab["domains"][0], seconds=60)
    evidence = {"steps": steps, "written_with_the_lab_s_names": written, "health": health["status"]}
    assert health["status"] == "healthy", evidence
    return evidence
