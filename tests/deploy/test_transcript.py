"""The replayer of transcripts: it notices what is not as written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.proofs.transcript import read, replay

ASKING = """\
import getpass
name = input("Who? ")
getpass.getpass("Secret: ")
print(f"hello   {name}, took 1.5 s"); print("noise"); print("more"); print("end"); raise SystemExit(3)
"""
RIGHT = """\
# A remark is for readers.
$ python \\
    ask.py
Who? «{who}»
Secret: «*hidden»
hello {who}, took ... s
...
end
[exit 3]

# And another.
"""


def played(text: str, folder: Path) -> int:
    (folder / "ask.py").write_text(ASKING)
    return len(list(replay(text, {"who": "world"}, {"python": [sys.executable]}, folder, dict(os.environ))))


def test_fr009_a_transcript_that_is_right_is_replayed(tmp_path: Path) -> None:
    assert played(RIGHT, tmp_path) == 1
    assert played('$ python -c "print(1)"\n1\n\n$ python -c ""\n', tmp_path) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("took", "needed", "does not follow"),
        ("...\nend\n", "noise\n", "printed beyond the transcript"),
        ("...\nend", "end", "'end' does not follow"),
        ("[exit 3]\n", "", "exit code 3, not 0"),
        ("end\n", "end\nmore\n", "'more' does not follow"),
    ],
)
def test_fr009_what_is_not_as_written_is_noticed(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in RIGHT
    with pytest.raises(AssertionError, match=said):
        played(RIGHT.replace(old, new), tmp_path)


def test_fr009_a_value_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        read("$ true {nobody}\n", {})
