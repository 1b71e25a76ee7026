"""What can be told of the image without building it (the lab's tests build and run it)."""

import re

from app.locales import LANGUAGES, messages
from signupflow.shared.places import APP_UID
from tests.app.harness import HEAD, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_fr001_the_image_is_built_for_old_builders_and_runs_unprivileged_without_a_shell() -> None:
    assert "# syntax=" not in DOCKERFILE
    assert "--mount=" not in DOCKERFILE
    # Written out, for a Dockerfile reads no Python: everywhere the same.
    assert set(re.findall(r"\b1\d{4}\b", DOCKERFILE)) == {str(APP_UID)}
    assert f"\nUSER {APP_UID}:{APP_UID}\n" in (ROOT / "tests/faults/release.Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == [f"{APP_UID}:{APP_UID}"]
    assert re.findall(r"^FROM .* AS (\w+)$", DOCKERFILE, re.MULTILINE)[-1] == "runtime"
    for command in re.findall(r"(?:^|\s)CMD (.+)$", DOCKERFILE, re.MULTILINE):
        assert command.startswith('["')


def test_fr011_the_image_names_the_newest_schema_revision() -> None:
    revisions = {path.name.partition("_")[0] for path in (ROOT / "alembic" / "versions").glob("*.py")}
    (labelled,) = re.findall(r"^ARG SCHEMA_REVISION=(\w+)$", DOCKERFILE, re.MULTILINE)
    assert labelled in revisions
    assert HEAD in revisions
    followed = re.findall(
        r'^down_revision = "(\w+)"', "".join(p.read_text() for p in (ROOT / "alembic/versions").glob("*.py")), re.M
    )
    assert labelled not in followed


def test_the_six_locales_are_there_and_say_the_same_things() -> None:
    assert LANGUAGES == ("en", "es", "pt", "zh-CN", "zh-TW", "fr")
    for language in LANGUAGES:
        assert messages(language).keys() == messages("en").keys()
        assert all(messages(language).values())


def test_the_migrations_folder_does_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
