from pathlib import Path
from typing import Any

import pytest

from lab import engine
from lab.errors import LabError


def test_a_failing_command_becomes_one_line() -> None:
    with pytest.raises(LabError, match=r"^sh -c echo one >&2; echo two >&2; exit 3: two$"):
        engine.run(["sh", "-c", "echo one >&2; echo two >&2; exit 3"])


def test_a_missing_program_becomes_one_line() -> None:
    with pytest.raises(LabError, match="no-such-program is not installed"):
        engine.run(["no-such-program"])


def test_a_command_that_hangs_is_cut_off() -> None:
    with pytest.raises(LabError, match="did not finish"):
        engine.run(["sleep", "5"], timeout=0.1)


def test_waiting_ends_at_its_deadline() -> None:
    asked: list[None] = []
    with pytest.raises(LabError, match="never came"):
        engine.wait_for(lambda: asked.append(None) is not None, 0.2, "it never came", interval=0.05)
    assert 1 <= len(asked) <= 6


def test_without_an_engine_and_without_root_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "answers", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with pytest.raises(LabError, match=r"no Docker Engine answers at /var/run/docker\.sock: start one, or run this as root"):
        engine.ensure()


def test_an_engine_elsewhere_is_never_replaced_by_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "answers", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.9:2375")
    with pytest.raises(LabError, match=r"tcp://192\.0\.2\.9:2375"):
        engine.ensure()


def test_packages_are_named_to_whoever_may_not_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="no registry: install mmdebstrap"):
        engine.apt_install("mmdebstrap", why="no registry")


@pytest.fixture
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client that prints its arguments, fails on a tag called bad, and cannot do buildx."""
    script = tmp_path / "docker"
    script.write_text(
        '#!/bin/sh\ncase "$*" in\n  "buildx version") exit 1 ;;\n  version*) echo 20.10.24 ;;\n'
        '  *"--tag bad"*) echo step one; echo broken >&2; exit 1 ;;\n  image*) echo sha256:abc ;;\n  *) echo "$@" ;;\nesac\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(engine, "clients", lambda: (str(script),))
    engine.builder.cache_clear()
    return script


def test_an_old_client_builds_with_buildkit(fake_docker: Path) -> None:
    assert engine.builder() == (str(fake_docker), {"DOCKER_BUILDKIT": "1"})
    engine.builder.cache_clear()


def test_build_streams_its_lines_and_returns_the_id(fake_docker: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    options: dict[str, Any] = {"build_args": {"BASE": "x"}, "labels": {"a": "b"}, "target": "ops"}
    assert engine.build(tmp_path, "good", progress=lines.append, **options) == "sha256:abc"
    assert f"--target ops --build-arg BASE=x --label a=b {tmp_path}" in lines[0]
    engine.builder.cache_clear()


def test_a_failed_build_shows_its_last_lines(fake_docker: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"(?s)building bad failed:.*step one.*broken"):
        engine.build(tmp_path, "bad")
    engine.builder.cache_clear()
