"""Images on the host: pulled by digest, or sent over SSH and named by their id."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from typing import Any

from pyinfra import host, logger
from pyinfra.api import FileUploadCommand, Host, State, operation
from pyinfra.api.command import PyinfraCommand

from facts.containers import ImageId
from operations.remote import ScriptError, run
from operations.scripted import Scripted
from signupflow import archives
from signupflow.images import Image, layers
from signupflow.release.prune import pulled_script, unused_script

PULL_SECONDS = 900
LOAD_SECONDS = 300
INCOMING = "/var/lib/signupflow/images"
# A line of JSON for each image: its layers, the lowest first.
LAYERS = "docker image ls --all --quiet --no-trunc | sort -u | xargs -r docker image inspect --format '{{json .RootFS.Layers}}'"


@operation()
def present(image: Image, prune: bool = False) -> Generator[PyinfraCommand]:
    """Have the image on the host, so that starting it needs no network.

    With `prune`, what it replaces goes: where no release's end does that, every release would leave one more.
    """
    found = host.get_fact(ImageId, reference=image.on_host)
    if found and found == (image.image_id or found):
        host.noop(f"image {image.on_host} is present")
        return
    if image.travels:
        yield Sent(image)
    else:
        noted = pulled_script(image.reference.name, image.reference.digest)
        yield Scripted("the image cannot be pulled", f"docker pull --quiet {shlex.quote(image.on_host)} && {noted}", PULL_SECONDS)
    if prune:
        yield Scripted("older images cannot be removed", unused_script(image.reference.name, image.on_host), LOAD_SECONDS)


class Sent(PyinfraCommand):
    """The image's layers that the host lacks, uploaded and loaded; all of them where the engine there insists."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self.image = image
        self.reason = ""

    def __repr__(self) -> str:
        return f"Sent({self.image.on_host})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        try:
            known = [json.loads(line) or [] for line in run(host, f"install -d -m 0700 {INCOMING}\n{LAYERS}").splitlines()]
        except ScriptError as error:
            return self._failed(host, "its images cannot be listed", error)
        held = archives.held(layers(self.image.local_id), known)
        if held and self._sent(state, host, connector_arguments, held, last=False):
            return True
        return self._sent(state, host, connector_arguments, 0, last=True)

    def _failed(self, host: Host, what: str, error: ScriptError) -> bool:
        failed = Scripted(what, "")
        failed.failed(host, what, error)
        self.reason = failed.reason
        return False

    def _sent(self, state: State, host: Host, connector_arguments: Any, held: int, last: bool) -> bool:
        packed = archives.saved(self.image.local_id, held)
        target = f"{INCOMING}/{packed.name}"
        # By way of the login's own home, relative: a name in /tmp could be taken by somebody else first.
        upload = FileUploadCommand(str(packed), target, remote_temp_filename=f".signupflow-{packed.name}")
        if not upload.execute(state, host, connector_arguments):
            return False
        load = f"docker load --quiet --input {target} >/dev/null"
        name = f"docker tag {self.image.image_id} {shlex.quote(self.image.on_host)}"
        script = f"trap 'rm -f {target}' EXIT\n{load} && {name}"
        try:
            run(host, script, LOAD_SECONDS)
        except ScriptError as error:
            if last:
                return self._failed(host, "the image cannot be loaded", error)
            logger.info(f"{host.print_prefix}all layers are sent: this engine does not load some of them alone")
            return False
        return True
