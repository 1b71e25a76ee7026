"""The id that a host gives to an image that was sent to it, read from the saved tar."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from signupflow.images import config_digest

HEX = "0a1b" * 16


@pytest.mark.parametrize("config", [f"{HEX}.json", f"blobs/sha256/{HEX}"])
def test_fr011_the_image_id_is_the_digest_of_its_configuration(tmp_path: Path, config: str) -> None:
    """Both layouts of `docker save`: before and since version 25."""
    content = json.dumps([{"Config": config, "RepoTags": None, "Layers": []}]).encode()
    with tarfile.open(tmp_path / "image.tar.gz", "w:gz") as out:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        out.addfile(member, io.BytesIO(content))
    assert config_digest(tmp_path / "image.tar.gz") == f"sha256:{HEX}"
