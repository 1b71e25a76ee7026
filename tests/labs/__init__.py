"""Labs of tests and proofs: one for each purpose, of this clone alone.

`shared` has the fixtures of `make test`: a lab for the whole session, deployed to once. `converged` has the same names for
`pytest --full`: each proof finds the lab deployed to anew, whatever the one before has left.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

from lab.client import ROOT, Lab

# Another clone's labs, and `make demo`'s, stay out of reach.
MARK = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
# Shorter than Traefik's threshold of 20 minutes before expiry, so that every check (one a minute) renews.
CERTIFICATE_SECONDS = 900
CERTIFICATES = ("--certificate-lifetime", str(CERTIFICATE_SECONDS))


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def up(name: str, *options: str) -> Lab:
    """A lab that is up, with the images built and its secrets made."""
    run("-m", "lab", "up", "--name", name, *options)
    lab = Lab.running(name)
    run("scripts/images.py", "build")
    lab.make_secrets()
    return lab


def down(name: str) -> None:
    run("-m", "lab", "down", "--name", name)


def bare(name: str, *options: str) -> Iterator[Lab]:
    """A lab whose hosts have a fresh OS; taken away at the end. KEEP_LAB=1 leaves it, and uses it again next time."""
    keep = bool(os.environ.get("KEEP_LAB"))
    if not keep:
        down(name)
    yield up(name, *options)
    if not keep:
        down(name)
