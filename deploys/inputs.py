"""What a run is made from, beside this repository's files: settings, secrets, images and files that settings name, as digests.

A plan keeps them; the run that `apply` starts compares them before any host is touched. Secrets and settings are in it as keyed
digests only: a plan tells that one changed, and nothing about it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyinfra
from pyinfra.api import Inventory

from deploys.environment import image, secrets_of
from deploys.host_data import host_data
from signupflow.dryrun import INPUTS, PLANNED, changed_inputs
from signupflow.errors import OperatorError
from signupflow.secretfile import Secrets
from signupflow.settings import Environment

# Settings that name a file of this machine which decides what hosts get, or which host is believed.
FILES = ("ssh_known_hosts_file", "acme_ca_file", "public_ca_file", "s3_ca_file")


def keep_or_compare(environments: Sequence[Environment], inventory: Inventory) -> None:
    """Write them where `plan` wants them; refuse when they are not those of the plan that is applied."""
    wanted, planned = os.environ.get(INPUTS), os.environ.get(PLANNED)
    if not wanted and not planned:
        return
    now = dict(_inputs(environments, inventory))
    if wanted:
        Path(wanted).write_text(json.dumps(now))
    if planned and (changed := changed_inputs(json.loads(Path(planned).read_text()), now)):
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise OperatorError(f"{', '.join(changed[:5])}{more} changed since the plan was made; nothing was run, plan again")


def _inputs(environments: Sequence[Environment], inventory: Inventory) -> Iterator[tuple[str, str]]:
    yield "pyinfra", pyinfra.__version__
    env = environments[0]
    secrets = secrets_of(env)
    for name in secrets:
        yield f"secret {name}", secrets.digest(f"secret {name}\n{secrets[name]}")
    for reference in sorted({getattr(env, name) for name in ("traefik_image", "postgres_image", "app_image", "ops_image")}):
        yield f"image {reference}", _identity(env, reference)
    yield "the list of hosts", secrets.digest(json.dumps([[host.name, list(host.groups)] for host in inventory]))
    for host in inventory:
        data = host_data(host, inventory)
        yield from _settings(host.name, data, secrets)
        for name in FILES:
            if data.get(name):
                yield f"file {data[name]}", _file(Path(str(data[name])).expanduser())


def _settings(host: str, data: Mapping[str, Any], secrets: Secrets) -> Iterator[tuple[str, str]]:
    for name, value in sorted(data.items()):
        yield f"{name} of {host}", secrets.digest(f"setting {name}\n{json.dumps(value, sort_keys=True, default=str)}")


def _identity(env: Environment, reference: str) -> str:
    """An image's id; a reference with a digest is one by itself. The ops image is not needed where no backups are made."""
    try:
        return image(reference).image_id or reference
    except OperatorError:
        if reference != env.ops_image or env.backed_up:
            raise
        return "not here"


def _file(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else "not here"
