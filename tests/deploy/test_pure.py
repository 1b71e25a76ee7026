"""Rendering, hashing, routing, image references, SCRAM and comparison: pure code, tested without mocks."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.client import ROOT
from lab.compare import Step, compare
from signupflow import scram
from signupflow.diff import changed_lines
from signupflow.images import Reference
from signupflow.render import compose_value, config_hash, template

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("traefik:v3.7", ("traefik", "v3.7", "")),
        (f"traefik:v3.7@{DIGEST}", ("traefik", "v3.7", DIGEST)),
        (f"registry.example.org:5000/team/app@{DIGEST}", ("registry.example.org:5000/team/app", "", DIGEST)),
        ("signupflow/app", ("signupflow/app", "", "")),
    ],
)
def test_fr011_image_references_are_read_and_written_back(text: str, parts: tuple[str, str, str]) -> None:
    reference = Reference.parse(text)
    assert (reference.name, reference.tag, reference.digest) == parts
    assert str(reference) == text


@pytest.mark.parametrize("text", ["", "Upper:1", "a b", "app:tag:tag", "app@sha256:short", "app;rm -rf /", "-flag"])
def test_fr011_what_is_no_image_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an image reference"):
        Reference.parse(text)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60))
def test_fr028_any_value_survives_compose_interpolation_and_yaml(value: str) -> None:
    """What Compose reads back is the value: YAML first, then `$$` becomes `$`."""
    assert yaml.safe_load(f"x: {compose_value(value)}")["x"].replace("$$", "$") == value


def test_fr028_an_undefined_name_in_a_template_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("{{ missing }}")
    with pytest.raises(jinja2.UndefinedError):
        template(tmp_path / "t.j2")


def test_fr013_the_config_hash_sees_everything_a_stack_is_made_from() -> None:
    base = config_hash({"compose.yaml": "a"}, {"app": "i"}, {"KEY": "d"})
    others = [
        config_hash({"compose.yaml": "b"}, {"app": "i"}, {"KEY": "d"}),
        config_hash({"compose.yaml": "a"}, {"app": "j"}, {"KEY": "d"}),
        config_hash({"compose.yaml": "a"}, {"app": "i"}, {"KEY": "e"}),
    ]
    assert len({base, *others}) == 4
    assert base == config_hash({"compose.yaml": "a"}, {"app": "i"}, {"KEY": "d"})


def test_sec006_scram_verifier_is_postgresqls() -> None:
    """Recomputed from RFC 5803's definition with the client's own proof, as the server would check it."""
    import hmac
    from base64 import b64decode
    from hashlib import pbkdf2_hmac, sha256

    verifier = scram.verifier("a long password", salt=b"0123456789abcdef")
    mechanism, iterations_salt, keys = verifier.split("$")
    iterations, salt = iterations_salt.split(":")
    stored, server = (b64decode(part) for part in keys.split(":"))
    salted = pbkdf2_hmac("sha256", b"a long password", b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    assert mechanism == "SCRAM-SHA-256"
    assert sha256(client_key).digest() == stored
    assert hmac.digest(salted, b"Server Key", "sha256") == server
    assert scram.verifier("a long password") != scram.verifier("a long password")


def test_fr028_a_diff_shows_the_changed_line_and_nothing_when_equal() -> None:
    lines = list(changed_lines("a\nb\nc\n", "a\nx\nc\n", "file"))
    assert [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")] == ["-b", "+x"]
    assert list(changed_lines("a\n", "a\n", "file")) == []


def plan(name: str, hosts: list[str]) -> dict[str, Any]:
    return {"name": name, "hosts_with_change": hosts, "hosts_with_conditional_change": []}


def result(name: str, success: list[str], no_change: list[str], error: list[str]) -> dict[str, Any]:
    return {"name": name, "success": success, "no_change": no_change, "error": error}


def test_us1_1_compare_tells_announced_from_done() -> None:
    dry = {"plan": [plan("a", ["h1"]), plan("b", ["h1"]), plan("c", []), plan("d", ["h1"])], "results": None}
    operations = [
        result("a", ["h1"], [], []),
        result("b", [], ["h1"], []),
        result("c", ["h1"], [], []),
        result("d", [], [], ["h1"]),
    ]
    found = compare(dry, {"plan": [], "results": {"operations": operations}})
    assert found.as_announced == [Step("a", "h1")]
    assert found.not_done == [Step("b", "h1")]
    assert found.not_announced == [Step("c", "h1")]
    assert found.failed == [Step("d", "h1")]
    assert not found.equal


def test_fr013_production_is_a_table_of_contents() -> None:
    """Imports and stage calls only."""
    tree = ast.parse((ROOT / "deploys" / "production.py").read_text())
    body = tree.body[1:]
    assert all(
        isinstance(node, ast.ImportFrom) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) for node in body
    )


def test_fr028_pure_code_imports_no_pyinfra_and_only_one_place_reads_host_data() -> None:
    for path in (ROOT / "signupflow").rglob("*.py"):
        assert "pyinfra" not in {name.split(".")[0] for name in imported(path)}, path
    readers = {path.name for path in (ROOT / "deploys").rglob("*.py") if re.search(r"\.data\b[.\[]", path.read_text())}
    assert readers == {"bootstrap.py", "environment.py", "preflight.py"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
