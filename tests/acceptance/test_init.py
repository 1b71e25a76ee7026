"""From hosts one owns to a running app, by nothing but what `signupflow init` asks, writes and prints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.client import Lab
from tests.evidence.plugin import Evidence
from tests.labs import MARK, bare
from tests.proofs import initialising

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def two_bare_hosts() -> Iterator[Lab]:
    yield from bare(f"init{MARK}", "--hosts", "2")


@pytest.mark.long
@pytest.mark.proof("init")
def test_sc002_us1_1_the_transcript_of_init_leads_to_a_deploy_that_works(two_bare_hosts: Lab, evidence: Evidence) -> None:
    evidence(initialising.by_transcript(two_bare_hosts))
