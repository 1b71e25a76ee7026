"""What a message says to type is of the environment that it is about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signupflow import advice
from signupflow.closing import Ending, Outcome


@pytest.fixture
def staging() -> Iterator[str]:
    advice.of("staging hosts.py")
    yield "-i 'staging hosts.py'"
    advice.of(advice.DEFAULT)


def test_a37_on_another_inventory_what_is_said_to_be_typed_names_it(staging: str) -> None:
    """`signupflow deploy` would release to production what was interrupted in staging."""
    line = Ending(Outcome.INTERRUPTED, {"h1": "2.0.0", "h2": "0.1.0"}).line()
    assert f"Finish: `signupflow {staging} deploy`; undo: `signupflow {staging} abort`" in line


def test_a37_on_the_default_inventory_it_is_short() -> None:
    assert advice.command("deploy 1.4.0") == "signupflow deploy 1.4.0"
