"""Saved images: the id that a host gives to one, and what need not be sent."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from signupflow.archives import config_digest, held, without_layers

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


def _tar(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
        for name, where in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, where
            out.addfile(member)
    return path


def _contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as opened:
        files = ((member, opened.extractfile(member)) for member in opened.getmembers() if member.isreg())
        return {member.name: content.read() for member, content in files if content}


def test_fr011_layers_that_a_host_has_are_left_out(tmp_path: Path) -> None:
    manifest = json.dumps([{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"]}]).encode()
    files = {"a/layer.tar": b"A", "b/layer.tar": b"B", "c/layer.tar": b"C", "c.json": b"{}", "manifest.json": manifest}
    whole = _tar(tmp_path / "whole.tar", files)
    for number in range(4):
        without_layers(whole, tmp_path / "thin.tar.gz", number)
        gone = {f"{name}/layer.tar" for name in "abc"[:number]}
        assert _contents(tmp_path / "thin.tar.gz") == {name: text for name, text in files.items() if name not in gone}


def test_fr011_a_layer_that_another_one_links_to_is_kept(tmp_path: Path) -> None:
    """Docker before version 25 writes a layer that comes twice once, and a link; since then under one name."""
    manifest = json.dumps([{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}]).encode()
    whole = _tar(tmp_path / "old.tar", {"a/layer.tar": b"A", "manifest.json": manifest}, {"b/layer.tar": "../a/layer.tar"})
    without_layers(whole, tmp_path / "thin.tar.gz", 1)
    assert _contents(tmp_path / "thin.tar.gz").keys() == {"a/layer.tar", "manifest.json"}

    manifest = json.dumps([{"Config": "c", "Layers": ["blobs/sha256/a", "blobs/sha256/a"]}]).encode()
    whole = _tar(tmp_path / "new.tar", {"blobs/sha256/a": b"A", "manifest.json": manifest})
    without_layers(whole, tmp_path / "thin.tar.gz", 1)
    assert "blobs/sha256/a" in _contents(tmp_path / "thin.tar.gz")


def test_fr011_only_the_lowest_layers_in_their_order_count_as_held() -> None:
    assert held(["a", "b", "c"], []) == 0
    assert held(["a", "b", "c"], [["b", "c"], ["a", "c", "b"]]) == 1
    assert held(["a", "b", "c"], [[], ["a", "b", "x"], ["a"]]) == 2
    assert held(["a", "b", "c"], [["a", "b", "c", "d"]]) == 3
