"""Image references, and what the controller's Docker Engine knows of an image.

An image with a digest is pulled by the hosts. One without is built or present on the
controller; it is named by its image id from then on and travels over SSH.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signupflow import archives
from signupflow.engine_client import docker_client
from signupflow.errors import OperatorError
from signupflow.release.schema import SCHEMA_MIGRATIONS_LABEL, Migration, decode

REFERENCE = re.compile(
    r"^(?P<name>(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9][a-z0-9._/-]*?)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
SCHEMA_LABEL = "org.signupflow.schema-revision"
VERSION_LABEL = "org.opencontainers.image.version"
REVISION_LABEL = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Reference:
    """`name:tag@digest`; tag and digest may be empty."""

    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        match = REFERENCE.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not an image reference such as name:tag or name:tag@sha256:...")
        return cls(match["name"], match["tag"] or "", match["digest"] or "")

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Image:
    """An image as the hosts will name it.

    `on_host` is what Compose files say: the pinned reference, or `name:id-<12 digits of the id>`
    for one that travels over SSH, so that a name never means two images. `image_id` is the
    config digest (`sha256:...`), empty for a pinned image that the controller has not seen;
    `local_id` is its id on the controller; `known` whether its labels were read. `commit` is the one it was built from.
    """

    reference: Reference
    on_host: str
    image_id: str
    local_id: str
    version: str
    schema_revision: str
    migrations: tuple[Migration, ...] = ()
    known: bool = True
    commit: str = ""

    @property
    def older_revisions(self) -> tuple[str, ...]:
        """Revisions of the schema before this image's own; and that of a database without any."""
        return ("", *(migration.revision for migration in self.migrations[:-1])) if self.migrations else ()

    @property
    def travels(self) -> bool:
        """Whether the image is sent over SSH rather than pulled."""
        return not self.reference.digest


def resolve(text: str) -> Image:
    """Turn a setting into an image; ask the controller's engine about one without a digest."""
    reference = Reference.parse(text)
    if reference.digest:
        return _pinned(reference, text)
    found = inspect(text)
    if found is None:
        raise OperatorError(
            f"image {text} is neither pinned by digest nor present in this machine's Docker Engine; "
            "build it (`make build`) or pin it (`scripts/images.py pin`)"
        )
    local_id = found["Id"]
    # Hosts name an image by its config's digest, which only the saved image tells when containerd keeps the images here.
    image_id = archives.config_digest(archives.saved(local_id)) if _containerd_store() else local_id
    return Image(
        reference,
        f"{reference.name}:id-{image_id.removeprefix('sha256:')[:12]}",
        image_id,
        local_id,
        **_told(found["Config"].get("Labels"), reference),
    )


def on_host(name: str, image_id: str, labels: Mapping[str, str]) -> Image:
    """An image that hosts have already, as one of them tells of it. `name` is what Compose files there call it."""
    reference = Reference.parse(name)
    try:
        here = inspect(image_id) if not reference.digest else None
    except OperatorError:  # no engine here: hosts that have the image need none
        here = None
    told = _told(labels, reference)
    return Image(reference, name, "" if reference.digest else image_id, here["Id"] if here else "", **told)


def unseen(text: str) -> Image:
    """An image of which nothing is known but its name: for what neither starts nor sends it."""
    reference = Reference.parse(text)
    return Image(reference, text, "", "", reference.tag, "", known=False)


def _pinned(reference: Reference, text: str) -> Image:
    """Hosts pull it; what it says of itself is known where this machine has it as well."""
    try:
        found = inspect(text)
    except OperatorError:  # no engine here
        found = None
    told = _told(found["Config"].get("Labels") if found else {}, reference)
    return Image(reference, text, "", "", **told, known=found is not None)


def _told(labels: Mapping[str, str] | None, reference: Reference) -> dict[str, Any]:
    """Version, schema revision, migrations and commit, from an image's labels."""
    labels = labels or {}
    return {
        "version": labels.get(VERSION_LABEL, reference.tag),
        "schema_revision": labels.get(SCHEMA_LABEL, ""),
        "migrations": decode(labels.get(SCHEMA_MIGRATIONS_LABEL, "")),
        "commit": labels.get(REVISION_LABEL, ""),
    }


def inspect(text: str) -> dict[str, Any] | None:
    """`docker image inspect`, or None when the engine has no such image."""
    done = subprocess.run([docker_client(), "image", "inspect", text], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        try:
            found: dict[str, Any] = json.loads(done.stdout)[0]
        except (ValueError, LookupError):
            shown = " ".join(done.stdout.split())[:100] or "nothing"
            raise OperatorError(f"`docker image inspect {text}` printed {shown}: check `docker version`") from None
        return found
    if "no such image" in done.stderr.lower():
        return None
    last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    raise OperatorError(f"this machine's Docker Engine did not answer: {last}")


def pin(text: str) -> str:
    """Pull an image by its name and tag, and name it with the digest that the registry has now."""
    done = subprocess.run([docker_client(), "pull", "--quiet", text], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["docker pull failed"]
        raise OperatorError(f"{text} cannot be pulled: {said[-1]}")
    digests = (inspect(text) or {}).get("RepoDigests")
    if not digests:
        raise OperatorError(f"{text} came from no registry, so it has no digest")
    return f"{text}@{digests[0].partition('@')[2]}"


def layers(text: str) -> tuple[str, ...]:
    """Digests (`sha256:...`) of an image's layers on this machine, the lowest first; none for one that is not here."""
    found = inspect(text)
    return tuple(found["RootFS"].get("Layers") or ()) if found else ()


def size(text: str) -> int:
    """Unpacked size in bytes as this machine's engine has it; 0 for an image that only the hosts will see, or without one."""
    try:
        found = inspect(text)
    except OperatorError:
        return 0
    return int(found["Size"]) if found else 0


def architecture(text: str) -> str:
    """What Docker calls the machine that an image is for; empty for an image that this machine has not seen."""
    return str(_seen(text).get("Architecture", ""))


def major(text: str) -> int:
    """The major version of a PostgreSQL image: what it says itself (PG_MAJOR), or its tag; 0 where neither tells."""
    variables = (_seen(text).get("Config") or {}).get("Env") or ()
    said = next((item.partition("=")[2] for item in variables if item.startswith("PG_MAJOR=")), "")
    found = re.match(r"\d+", said or Reference.parse(text).tag)
    return int(found[0]) if found else 0


def _seen(text: str) -> dict[str, Any]:
    """What this machine's engine knows of an image; nothing where there is no engine or no such image."""
    try:
        return inspect(text) or {}
    except (OperatorError, OSError):
        return {}


@functools.cache
def _containerd_store() -> bool:
    """Whether this machine's engine keeps images in containerd, where an image's id is its manifest's digest."""
    done = subprocess.run(
        [docker_client(), "info", "--format", "{{json .DriverStatus}}"], capture_output=True, text=True, check=True
    )
    return "io.containerd.snapshotter" in done.stdout
