"""Whether what the app acknowledged is in the database."""

from __future__ import annotations

from lab.client import Lab
from tests.traffic.report import Report

PSQL = "sudo docker exec -i -u postgres signupflow-postgres psql -XAtq -v ON_ERROR_STOP=1 -d signupflow -f -"
ASKED = "create temporary table asked (id text primary key); copy asked from stdin;"
MISSING = "select count(*) from asked; select id from asked where not exists (select from events where events.id = asked.id);"


def lost_writes(lab: Lab, report: Report) -> list[str]:
    """Ids of events whose POST was answered 2xx and that are no rows; also kept as `report.lost`. Asked as a superuser, whom
    no row is hidden from; ids go by standard input, being too many for a command line."""
    identifiers = [identifier for _, identifier in report.writes]
    script = "\n".join([ASKED, *identifiers, "\\.", MISSING, ""])
    asked, *missing = lab.ssh(lab.the("db"), PSQL, stdin=script).split()
    assert int(asked) == len(identifiers), f"PostgreSQL was asked for {asked} of {len(identifiers)} ids"
    report.lost = missing
    return missing
