import re
from pathlib import Path

import pytest

from lab import images
from lab.images import Recipe


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(images, "DOCKERFILES", tmp_path)
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "Dockerfile").write_text("FROM scratch\n")
    return Recipe("thing:1", "thing")


def test_the_same_inputs_have_the_same_hash(recipe: Recipe) -> None:
    assert images.inputs(recipe, "base", "build") == images.inputs(recipe, "base", "build")


def test_anything_that_goes_in_changes_the_hash(recipe: Recipe) -> None:
    hashes = {images.inputs(recipe, base, mode) for base in ("base", "newer") for mode in ("build", "pull")}
    hashes.add(images.inputs(Recipe("thing:1", "thing", build_args=(("A", "1"),)), "base", "build"))
    (images.DOCKERFILES / "thing" / "more").write_text("")
    hashes.add(images.inputs(recipe, "base", "build"))
    (images.DOCKERFILES / "thing" / "Dockerfile").write_text("FROM scratch\nCMD true\n")
    hashes.add(images.inputs(recipe, "base", "build"))
    assert len(hashes) == 7


def test_parts_do_not_run_into_each_other() -> None:
    assert images.digest("ab", "c") != images.digest("a", "bc")


def test_where_a_registry_answers_only_the_labs_own_images_are_built() -> None:
    pulled = {recipe.tag for recipe in images.recipes("pull")}
    assert pulled == {images.HOST, images.PEBBLE, images.SEAWEEDFS, images.SINK_IMAGE}
    assert next(recipe.base for recipe in images.recipes("pull") if recipe.tag == images.HOST) == "ubuntu:24.04"


def test_without_a_registry_every_ordinary_name_is_built() -> None:
    built = {recipe.tag for recipe in images.recipes("build")}
    assert built >= {"python:3.13-slim", "postgres:17", "traefik:v3.7", "registry:2"}
    assert set(images.SERVED) <= built


def test_every_recipe_has_its_folder() -> None:
    for mode in ("build", "pull"):
        for recipe in images.recipes(mode):
            assert (images.DOCKERFILES / recipe.folder / "Dockerfile").is_file()


def test_no_file_of_the_lab_names_a_server_on_the_internet() -> None:
    address = re.compile(r"//[a-z0-9.-]+\.(?:org|io|com|net|dev)\b")
    for file in (Path(images.__file__).parent).rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert not address.findall(file.read_text()), file
