"""Build, push and fetch, with a docker on the PATH that only writes down what it is told."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.client import ROOT
from pipeline.build import Build
from pipeline.source import Revision
from signupflow import engine_client
from tests.delivery.program import called, module
from tests.delivery.test_build import COMMIT, CONFIG, DIGEST, MADE

TOKEN = "a-token-for-the-registry"
DOCKER = """#!{python} -IS
import json, sys
from pathlib import Path
words, here = sys.argv[1:], Path({folder!r})
said = sys.stdin.read() if "--password-stdin" in words else ""
with (here / "said").open("a") as file:
    file.write(json.dumps([words, said]) + "\\n")
if words[0] == "save":
    Path(words[words.index("--output") + 1]).write_bytes((here / "saved.tar").read_bytes())
if words[:2] == ["image", "inspect"]:
    print((here / "inspected.json").read_text())
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "docker").write_text(DOCKER.format(python=f"/usr/bin/env -S {sys.executable}", folder=str(folder)))
    (folder / "docker").chmod(0o755)
    saved(folder / "saved.tar", CONFIG)
    names = [f"other/name@sha256:{'1' * 64}", f"{MADE.name}@{DIGEST}"]
    (folder / "inspected.json").write_text(json.dumps([{"Id": CONFIG, "RepoDigests": names, "Config": {}}]))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for cached in (engine_client.clients, engine_client.builder, engine_client.docker_client):
        cached.cache_clear()
    yield folder
    for cached in (engine_client.clients, engine_client.builder, engine_client.docker_client):
        cached.cache_clear()


def saved(path: Path, config: str) -> None:
    """What `docker save` writes, as far as it is read."""
    manifest = json.dumps([{"Config": f"blobs/sha256/{config.removeprefix('sha256:')}", "Layers": []}]).encode()
    with tarfile.open(path, "w") as out:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        out.addfile(member, io.BytesIO(manifest))


def told(docker: Path) -> list[tuple[list[str], str]]:
    """What docker was called with and got on its input; questions about itself left out."""
    lines = [json.loads(line) for line in (docker / "said").read_text().splitlines()]
    return [(words, said) for words, said in lines if words[0] not in ("version", "buildx")]


def work(folder: Path, made: Build = MADE) -> Path:
    there = folder / "work"
    (there / "delivery").mkdir(parents=True)
    (there / "delivery" / "build.json").write_text(made.as_json())
    saved(there / "delivery" / "image.tar", CONFIG)
    return there


def test_us3_2_fr011_an_image_is_built_once_named_after_its_commit_and_kept_as_a_file(docker: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module().source, "of_head", lambda _root: Revision(COMMIT, "2026-11-26T00:00:00+00:00", COMMIT[:7]))
        patch.setattr(module().source, "version", lambda _root: "1.4.0")
        done = called(tmp_path, "build", IMAGE_NAME=MADE.name)
    assert done.returncode == 0, done.stderr
    (built, _), (kept, _) = told(docker)[:2]
    assert built[built.index("--tag") + 1] == kept[-1] == MADE.reference
    assert built[-1] == str(ROOT)
    assert f"VERSION={MADE.tag}" in [word.removesuffix("-dirty") for word in built]
    assert Build.from_json((tmp_path / "delivery" / "build.json").read_text(), "") == MADE
    assert (tmp_path / "delivery" / "image.tar").read_bytes() == (docker / "saved.tar").read_bytes()


def test_us3_2_the_file_is_pushed_and_its_digest_handed_on(docker: Path, tmp_path: Path) -> None:
    folder = work(tmp_path)
    done = called(folder, "push", REGISTRY_USER="ada", REGISTRY_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert told(docker) == [
        (["login", "--username", "ada", "--password-stdin", "registry.example.org:5000"], TOKEN),
        (["load", "--input", "delivery/image.tar"], ""),
        (["push", "--quiet", MADE.reference], ""),
        (["image", "inspect", MADE.reference], ""),
    ]
    assert Build.from_json((folder / "delivery" / "build.json").read_text(), "") == MADE.pushed(DIGEST)
    handed = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
    assert handed == {
        "image": f"{MADE.reference}@{DIGEST}", "digest": DIGEST, "commit": COMMIT, "tag": MADE.tag, "name": MADE.name,
    }  # fmt: skip
    assert TOKEN not in done.stdout + done.stderr


def test_us3_2_another_image_than_the_one_on_record_is_not_pushed(docker: Path, tmp_path: Path) -> None:
    folder = work(tmp_path)
    saved(folder / "delivery" / "image.tar", "sha256:" + "9" * 64)
    done = called(folder, "push", REGISTRY_USER="ada", REGISTRY_TOKEN=TOKEN)
    assert done.returncode == 1
    assert "is not the image that delivery/build.json is of" in done.stderr
    assert not (docker / "said").exists()


def test_us3_2_a_push_of_which_no_digest_is_known_is_an_error(docker: Path, tmp_path: Path) -> None:
    (docker / "inspected.json").write_text(json.dumps([{"Id": CONFIG, "RepoDigests": [], "Config": {}}]))
    folder = work(tmp_path)
    done = called(folder, "push", REGISTRY_USER="ada", REGISTRY_TOKEN=TOKEN)
    assert done.returncode == 1
    assert "returned no digest" in done.stderr
    assert not (folder / "output").exists()


def test_us3_4_an_image_is_fetched_by_its_digest_with_or_without_a_login(docker: Path, tmp_path: Path) -> None:
    image = MADE.pushed(DIGEST).reference
    assert called(tmp_path, "fetch", IMAGE=image, REGISTRY_USER="ada", REGISTRY_TOKEN=TOKEN).returncode == 0
    assert called(tmp_path, "fetch", IMAGE=image).returncode == 0
    assert [words[0] for words, _ in told(docker)] == ["login", "pull", "pull"]
    assert told(docker)[-1][0] == ["pull", "--quiet", image]
    refused = called(tmp_path, "fetch", IMAGE=MADE.reference)
    assert refused.returncode == 1
    assert "names no digest" in refused.stderr
