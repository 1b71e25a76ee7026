"""A copy for staging: nobody is in it."""

from __future__ import annotations

from tests import tenants
from tests.lab_client import Lab
from tests.proofs.backups.host import Evidence, idle, must, on_host, sql


def sanitised(lab: Lab) -> Evidence:
    """What is personal in production is not in the copy; it is in a plain dump of the same database (the control)."""
    idle(lab)
    for _ in range(2):
        tenants.organisation(lab)
    personal = people(lab)
    assert len(personal) >= 4, personal
    done = on_host(lab, "sh -c 'signupflow-restore sanitised --password-stdin > /root/copy.dump'", stdin="staging-sign-in-7391\n")
    assert done.code == 0, done.said[-2000:]
    copy = on_host(lab, "sh -c 'docker exec -i signupflow-postgres pg_restore -f - < /root/copy.dump'").said
    plain = on_host(lab, "docker exec -u postgres signupflow-postgres pg_dump -d signupflow").said
    must(on_host(lab, "rm -f /root/copy.dump"))
    found = [value for value in personal if value in copy]
    control = [value for value in personal if value in plain]
    assert len(control) == len(personal), "the search does not find what is there"
    assert not found, found[:5]
    assert "@staging.invalid" in copy
    assert "staging-sign-in-7391" not in copy, "the password itself"
    return {"personal_values": len(personal), "found_in_the_copy": 0, "found_without_sanitising": len(control)}


def people(lab: Lab) -> list[str]:
    """Names, mail addresses and ids of everybody in the database, as a dump writes them."""
    rows = sql(lab, "select id from people union select name from people union select email from people where email is not null")
    # Shorter ones would be found in anything.
    return sorted(row for row in rows.splitlines() if len(row) > 5)
