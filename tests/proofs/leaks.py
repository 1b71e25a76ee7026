"""Planted secrets are searched for wherever they must not be; each search must find its positive control."""

from __future__ import annotations

import gzip
import io
import secrets as random_secrets
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.client import PYINFRA, ROOT, Lab
from signupflow import rotation
from signupflow.engine_client import docker_client
from signupflow.secretfile import decrypt, identity

Evidence = dict[str, Any]
CONTROL = "positive-control-" + "7c41"
IMAGES = ("signupflow/app:local", "signupflow/postgres:17", "signupflow/ops:local")


def planted(lab: Lab) -> dict[str, str]:
    """The lab's secrets: random, so that finding one anywhere is a leak and not a coincidence."""
    return decrypt(Path(lab["secrets_file"]), identity("lab", lab["age_key_file"]))


def rotate_one(lab: Lab) -> None:
    """Give one secret a new value, so that the next run sends secrets to the host."""
    value = f"k{random_secrets.token_hex(3)}:{random_secrets.token_urlsafe(48)}"
    command = [
        sys.executable,
        "scripts/secrets.py",
        "set",
        "lab",
        "jwt_keys",
        "--file",
        lab["secrets_file"],
        "--key",
        lab["age_key_file"],
    ]
    subprocess.run(command, cwd=ROOT, input=value, text=True, check=True, capture_output=True)


def markers(lab: Lab) -> dict[str, str]:
    """Name to the part of each secret that is random and long; a certificate is public."""
    return {
        name: _random_part(value)
        for name, value in planted(lab).items()
        if not name.endswith("_certificate") and not rotation.bookkeeping(name)
    }


def _random_part(value: str) -> str:
    """Of a PEM file the first line of its body, of a named key the key."""
    return value.splitlines()[1] if value.startswith("-----BEGIN") else value.split(":", 1)[-1]


class ProcessWatch:
    """Samples the process lists (arguments and environments) of a host while something runs."""

    def __init__(self, lab: Lab) -> None:
        # It ends when its input does: sudo keeps a loop whose output nobody reads, an eighth of a core for all tests after it.
        loop = "exec 3<&0; { cat <&3 >/dev/null; kill $$; } & while ps axeww -o args; do sleep 0.05; done"
        self._process = subprocess.Popen(
            [*lab.ssh_command("h1"), f"sudo sh -c '{loop}'"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self._lines: set[str] = set()
        self.samples = 0
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.samples += line.startswith("COMMAND")
            self._lines.add(line)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._thread.join(30)
        self._process.stdout.close()

    @property
    def text(self) -> str:
        return "".join(list(self._lines))


# Every way to look at a plan.
LOOKS = (
    ("--dry", "--diff"),
    ("--dry", "--json"),
    ("--dry", "--debug-facts", "-vvv"),
    ("--dry", "--debug-operations", "--debug"),
)


def outputs(lab: Lab, thorough: bool) -> Iterator[tuple[str, str]]:
    """Everything pyinfra prints: in looks at a plan, in a run that delivers a changed secret, and in one that fails.

    Not `thorough`: one look, and no run that fails.
    """
    rotate_one(lab)
    for flags in LOOKS if thorough else LOOKS[:1]:
        done = lab.pyinfra(*flags)
        yield " ".join(flags), done.stdout + done.stderr
    done = lab.pyinfra("-y", "-vvv", "--diff", "--debug-all")
    yield "-y -vvv --diff --debug-all", done.stdout + done.stderr
    if thorough:
        yield "of a release that fails", _failed(lab)
    if lab.first_output.exists():
        yield "of the first deploy, -y -vvv --diff --json", lab.first_output.read_text()
    inventory = subprocess.run(
        [PYINFRA, lab["inventory"], "debug-inventory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    yield "debug-inventory", inventory.stdout + inventory.stderr


def _failed(lab: Lab) -> str:
    """What a release that fails prints. What it left below the app is put right by a good run after it."""
    failing = ("-y", "-vvv", "--data", "app_health_path=/nowhere", "--data", "app_start_seconds=9", "--data", "app_memory=401m")
    failed = lab.pyinfra(*failing, check=False)
    assert failed.returncode != 0
    lab.pyinfra("-y")
    return failed.stdout + failed.stderr


def layers(image: str) -> str:
    """Every file of every layer of an image, and its configuration, as one text."""
    saved = subprocess.run([docker_client(), "save", image], capture_output=True, check=True).stdout
    texts = []
    with tarfile.open(fileobj=io.BytesIO(saved)) as outer:
        for member in outer:
            content = outer.extractfile(member)
            if content is None:
                continue
            raw = content.read()
            texts.append(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    return b"".join(texts).decode("latin-1")


def planted_secrets_are_nowhere(lab: Lab, images: tuple[str, ...] = IMAGES, thorough: bool = True) -> Evidence:
    """Search outputs, process lists, images, inspections, logs, readable files and git for every secret."""
    found: dict[str, list[str]] = {}
    controls: dict[str, bool] = {}
    sizes: dict[str, int] = {}
    values = markers(lab)

    def search(place: str, text: str, control: str) -> None:
        found[place] = sorted(name for name, value in values.items() if value in text)
        controls[place] = control in text
        sizes[place] = len(text)

    with ProcessWatch(lab) as watch:
        said = dict(outputs(lab, thorough))
        backup = lab.ssh("h1", "sudo signupflow-backup run 2>&1")
        control_argument = f"sleep 1; : {CONTROL}"
        lab.ssh("h1", f"sh -c {control_argument!r}")
    values |= {f"{name} (rotated)": value for name, value in markers(lab).items()}
    for flags, text in said.items():
        # pyinfra prints the inventory's host names in each of these: the control that the search reads them.
        search(f"output of pyinfra {flags}", text, lab["hosts"][0]["fqdn"])
    search("output of signupflow-backup run", backup, "signupflow-backup.timer")
    search("process list", watch.text, CONTROL)
    search("process list, of a backup", watch.text, "backup run")
    for image in images:
        search(f"layers of {image}", layers(image), "/bin/")
    for place, command, control in _host_places():
        search(place, lab.ssh("h1", command), control)
    search("git", _history(), "SignUpFlow")
    own_files = lab.ssh("h1", "sudo sh -c 'find /etc/signupflow/secrets -type f -exec cat {} +'")
    present = [name for name, value in values.items() if value in own_files]
    evidence = {
        "secrets": sorted(values),
        "process_samples": watch.samples,
        "searched_characters": sizes,
        "found": {place: names for place, names in found.items() if names},
        "controls_found": all(controls.values()),
        "controls_missing": [place for place, seen in controls.items() if not seen],
        "secrets_that_the_same_search_finds_in_their_own_files": sorted(present),
    }
    assert not evidence["found"], evidence
    assert evidence["controls_found"], evidence
    assert present, evidence
    return evidence


def _host_places() -> list[tuple[str, str, str]]:
    """Place, command that prints it, control that must be in it."""
    loose = "sudo find /var/log /tmp /home -type f -not -path '*/journal/*' -print0 | sudo xargs -0 cat"
    return [
        ("container inspect", "sudo docker ps -aq | xargs sudo docker inspect", "JWT_KEYS_FILE"),
        ("image history", "sudo docker images -q | sort -u | xargs -n1 sudo docker history --no-trunc", "pgbackrest"),
        ("journal", f"logger {CONTROL}; sudo journalctl --sync; sudo journalctl --no-pager -o cat", CONTROL),
        ("/opt/signupflow", "sudo find /opt/signupflow -type f | xargs sudo cat", "signupflow-traefik"),
        ("/var/log, /tmp, /home", f"echo {CONTROL} > /tmp/control; {loose}; rm /tmp/control", CONTROL),
        ("world-readable files of /etc", "sudo find /etc -type f -perm -o+r -print0 | sudo xargs -0 cat", "signupflow"),
    ]  # fmt: skip


def _history() -> str:
    done = subprocess.run(["git", "log", "-p", "--all"], cwd=ROOT, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def age_file_is_opaque(lab: Lab) -> Evidence:
    """The committed form of secrets holds none in clear, and a wrong key opens nothing."""
    text = Path(lab["secrets_file"]).read_text()
    leaked = [name for name, value in planted(lab).items() if value in text]
    assert not leaked
    assert text.startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    return {"bytes": len(text), "leaked": leaked}
