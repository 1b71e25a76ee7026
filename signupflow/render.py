"""Templates and Compose files as text, and the hash that says whether a stack is the desired one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2


def template(path: Path, **values: Any) -> str:
    """Render a Jinja template; an undefined name is an error, never an empty string."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.from_string(path.read_text()).render(**values)


def compose_value(text: str) -> str:
    """Escape a value for a Compose file: a dollar sign would be interpolated, quotes are JSON's (a subset of YAML's)."""
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)


def config_hash(files: Mapping[str, str], image_ids: Mapping[str, str], secret_digests: Mapping[str, str]) -> str:
    """Hash of all that a stack was made from: rendered files, image ids, keyed digests of its secrets (hex, 64)."""
    desired = {"files": dict(files), "images": dict(image_ids), "secrets": dict(secret_digests)}
    return sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()
