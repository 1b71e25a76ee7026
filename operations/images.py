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
from signupflow.release import prune

PULL_SECONDS = 900
INCOMING = "/var/lib/signupflow/images"


@operation()
def present(image: Image, keep: int = 0) -> Iterator[PyinfraCommand]:
    """Have the image on the host, so that starting it needs no network.

    With `keep`, a new one makes room: of the same repository only so many of the newest stay, and what is in use or named.
    """
    found = host.get_fact(ImageId, reference=image.on_host)
    if found and found == (image.image_id or found):
        host.noop(f"image {image.on_host} is present")
        return
    if not image.travels:
        yield Scripted("the image cannot be pulled", f"docker pull --quiet {shlex.quote(image.on_host)}", PULL_SECONDS)
        yield from _pruned(image, keep)
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
    yield from _pruned(image, keep)


def _pruned(image: Image, keep: int) -> Iterator[PyinfraCommand]:
    if keep:
        yield StringCommand("sh -s", _stdin=prune.images_script("/nowhere", image.reference.name, keep))
