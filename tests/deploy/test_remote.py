"""Scripts on hosts: whatever one prints, its exit code and its output arrive as they are."""

from __future__ import annotations

import subprocess

import pytest

from operations.patches import _as_text
from operations.remote import ScriptError, framed, said_by, unframed

MARK = "ended-0123"


def through_a_shell(script: str) -> str:
    done = subprocess.run(["sh", "-s"], input=framed(script, MARK).encode(), capture_output=True, check=False)
    out, err = (_as_text(part).splitlines() for part in (done.stdout, done.stderr))
    return unframed(out, err, MARK)


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("echo one", "one"),
        ("printf one", "one"),
        ('printf \'{"version": "1.0"}\'', '{"version": "1.0"}'),
        ("printf 'one\\n\\n'", "one\n"),
        ("printf 'one\\n\\ntwo'", "one\n\ntwo"),
        ("true", ""),
        ("printf '\\377\\376one'", "��one"),
        ("printf 'é 你好'", "é 你好"),
        (f"echo {MARK}", MARK),
        (f"printf '{MARK} 7\\n'; printf ok", f"{MARK} 7\nok"),
        ("read line; echo \"<$line>\"", "<>"),
    ],
)  # fmt: skip
def test_a8_any_output_arrives_with_or_without_a_last_line_break(script: str, printed: str) -> None:
    assert through_a_shell(script) == printed


@pytest.mark.parametrize("script", ["echo why >&2; exit 3", "printf why >&2; exit 3", "printf why; exit 3", "printf why; false"])
def test_a8_a_failure_is_a_failure_with_its_words(script: str) -> None:
    with pytest.raises(ScriptError, match=r"^why$"):
        through_a_shell(script)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EOFError(), "its SSH connection was lost"),
        (TimeoutError(), "it does not answer"),
        (OSError(113, "No route to host"), "[Errno 113] No route to host"),
        (ValueError(), "ValueError"),
    ],
)
def test_a28_an_exception_without_words_is_said_in_words(error: Exception, said: str) -> None:
    assert said_by(error) == said


def test_a8_a_connection_that_ended_in_the_middle_is_told_from_both() -> None:
    with pytest.raises(OSError, match="the connection ended in the middle"):
        unframed(["half of it"], [], MARK)
    with pytest.raises(OSError, match="broken pipe"):
        unframed([], ["broken pipe"], MARK)
