"""Every block of the guides says what it is; excerpts of settings name settings that there are."""

from __future__ import annotations

import ast

import pytest

from signupflow.settings import Environment
from tests.docs.guides import LANGUAGES, PLACES, Block, blocks, files

BLOCKS = [block for path in files() for block in blocks(path)]


@pytest.mark.parametrize("block", BLOCKS, ids=[block.where for block in BLOCKS])
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block.where}: write a language after the fence: {', '.join(sorted(LANGUAGES))}"
    if block.language == "sh":
        assert bool(block.on) != bool(block.why_not), f"{block.where}: say on=... or not-run='why'"
        assert block.on in {"", *PLACES}, block.where
        assert not block.why_not or len(block.why_not) > 10, f"{block.where}: say why"


@pytest.mark.parametrize("block", [block for block in BLOCKS if "settings" in block.words], ids=lambda block: str(block.where))
def test_an_excerpt_of_settings_names_settings(block: Block) -> None:
    targets = [target for node in ast.parse(block.body).body if isinstance(node, ast.Assign) for target in node.targets]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    assert len(names) == len(targets), block.where
    assert names
    unknown = [name for name in names if name not in Environment.model_fields]
    assert not unknown, f"{block.where}: {unknown}"
