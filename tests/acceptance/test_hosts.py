"""Hosts with a past: each works, or is refused before anything is changed, and nothing of somebody's is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.client import ROOT, Lab
from tests.evidence.plugin import Evidence, Short
from tests.labs import MARK, down
from tests.proofs import flavours
from tests.tenants import organisation

pytestmark = pytest.mark.lab

NAME = f"flav{MARK}"
# An engine and a container of somebody's, a port that only ssh knows, modes, and settings that would not be in force.
SHARPEST = ("docker-ce", "ssh-port", "umask-027", "sshd-dropins")


@pytest.fixture
def machines() -> Iterator[str]:
    """The name of a lab whose first host is another machine for each flavour."""
    down(NAME)
    yield NAME
    down(NAME)


@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.proof("flavours")
def test_b1_b2_b3_b4_b5_hosts_with_a_past_work_or_are_refused_and_lose_nothing(
    machines: str, short: Short, evidence: Evidence
) -> None:
    evidence(flavours.table(machines, **short(wanted=SHARPEST)))


COUNTS = (
    "select relname || ' ' || (xpath('/row/c/text()',"
    " query_to_xml('select count(*) as c from ' || oid::regclass, false, true, '')))[1]"
    " from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'alembic_version' order by 1"
)


def test_b6_rows_reach_another_server_by_the_commands_of_the_guide(lab: Lab) -> None:
    """From 17 to 17, into a database beside the one that serves: no image of a second major version is in reach."""
    text = (ROOT / "docs/operations/POSTGRES_UPGRADE.md").read_text().replace("\\\n", " ")
    old, new = (" ".join(line.split()[2:]) for line in text.splitlines() if line.strip().startswith("ssh deploy@"))
    assert ("pg_dump" in old, "pg_restore" in new) == (True, True)
    inside = "sudo docker exec -i -u postgres signupflow-postgres"
    organisation(lab)
    try:
        lab.ssh(
            "h1", f"{inside} createdb beside && {inside} pg_dump --schema-only signupflow | {inside} psql -q -d beside >/dev/null"
        )
        lab.ssh("h1", f"{old} && {new.replace('--dbname=signupflow', '--dbname=beside')}")
        counted = [lab.ssh("h1", f'{inside} psql -At -d {name} -c "{COUNTS}"').split("\n") for name in ("signupflow", "beside")]
    finally:
        lab.ssh("h1", f"rm -f rows.dump; {inside} dropdb --if-exists beside")
    assert counted[0] == counted[1]
    assert any(not row.endswith(" 0") for row in counted[0] if row)
