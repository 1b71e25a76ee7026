"""Images on the host: pulled by digest, or sent over SSH and named by their id."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from pyinfra import host
from pyinfra.api import FileUploadCommand, QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.containers import ImageId
from operations.scripted import Scripted
from signupflow.images import ARCHIVES, Image, archive

PULL_SECONDS = 900
INCOMING = "/var/lib/signupflow/images"


@operation()
def present(image: Image) -> Iterator[PyinfraCommand]:
    """Have the image on the host, so that starting it needs no network."""
    found = host.get_fact(ImageId, reference=image.on_host)
    if found and found == (image.image_id or found):
        host.noop(f"image {image.on_host} is present")
        return
    if not image.travels:
        yield Scripted("the image cannot be pulled", f"docker pull --quiet {shlex.quote(image.on_host)}", PULL_SECONDS)
        return
    yield StringCommand(f"install -d -m 0700 {INCOMING}")
    # Only now, because a dry run stops at the first command: saving takes seconds.
    packed = archive(image.local_id, ARCHIVES)
    target = f"{INCOMING}/{packed.name}"
    # By way of the login's own home, relative: a name in /tmp could be taken by somebody else first.
    yield FileUploadCommand(str(packed), target, remote_temp_filename=f".signupflow-{packed.name}")
    yield StringCommand(
        "docker load --quiet --input", target, "&& docker tag", image.image_id, QuoteString(image.on_host), "&& rm -f", target
    )
