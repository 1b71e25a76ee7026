"""Every route of a deployment, asked by everybody for another organisation's things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.engine import make_url

from app.models import Base
from app.security import issue_token, read_token
from app.settings import JwtKeys
from app.tenancy import TENANCY, condition
from lab.client import Lab
from tests.app.tenant_matrix import CASES, OK, Answer, Row, Side, attack, own, patient, prepare
from tests.proofs.leaks import planted

Evidence = dict[str, Any]

PSQL = "sudo docker exec -i -u postgres signupflow-postgres psql -X -At -v ON_ERROR_STOP=1 -d signupflow -f -"


def nothing_leaks(lab: Lab, console: Console) -> Evidence:
    """Both organisations attack each other through the edge; all rows of the attacked one are compared around each route."""
    domain = lab["domains"][0]
    # The address instead of the name: this machine's resolver does not know the lab's zone.
    base = f"https://{lab.address()}"
    with httpx.Client(base_url=base, verify=lab.tls(), timeout=30, trust_env=False) as client:

        def send(method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
            client.cookies.clear()
            content = {"content": body} if isinstance(body, str) else {"json": body}
            request = client.build_request(method, path, headers={**headers, "Host": domain}, **content)
            request.extensions["sni_hostname"] = domain
            return client.send(request)

        ours, theirs = prepare(patient(send), "ours"), prepare(patient(send), "theirs")
        rows = list(attack(send, ours, theirs, dump(lab, str(theirs.ids["org_id"])), expired(lab, theirs)))
        rows += attack(send, theirs, ours, dump(lab, str(ours.ids["org_id"])), expired(lab, ours))
        control = list(own(send, ours))
    console.print(table(rows))
    wrong = [
        f"{row.method} {row.route} as {row.role}, {row.asked}: {row.status} {row.verdict}" for row in rows if row.verdict != OK
    ]
    unreached = [f"{row.method} {row.route}: {row.status}" for row in control if row.verdict != OK]
    evidence = {
        "routes": len(CASES),
        "requests": len(rows),
        "by_role": dict(Counter(row.role for row in rows)),
        "by_status": {str(status): count for status, count in sorted(Counter(row.status for row in rows).items())},
        "tables_compared": len(TENANCY),
        "wrong": wrong,
        "control_requests_for_ones_own": len(control),
        "control_not_reached": unreached,
        "table": [f"{row.method} {row.route} | {row.role} | {row.asked} | {row.status} | {row.verdict}" for row in rows],
    }
    assert rows, evidence
    assert not wrong, wrong
    assert not unreached, unreached
    return evidence


def expired(lab: Lab, side: Side) -> str:
    """Their administrator's own token as it is when its time is over, signed with the deployment's key."""
    signing_kid, _, secret = planted(lab)["jwt_keys"].partition(":")
    keys = JwtKeys(signing_kid, {signing_kid: secret})
    return issue_token(keys, read_token(keys, side.roles["admin"]["Authorization"].removeprefix("Bearer ")), -1)


def dump(lab: Lab, org_id: str) -> Callable[[], str]:
    """A digest of all rows of an organisation in each table, asked of PostgreSQL itself."""
    dialect = make_url("postgresql+psycopg2://").get_dialect()()
    script = "".join(
        f"select '{name}', count(*), md5(coalesce(string_agg(r::text, ' ' order by r::text), '')) from ({query}) r;\n"
        for name in TENANCY
        for query in [
            select(Base.metadata.tables[name])
            .where(condition(Base.metadata.tables[name], org_id))
            .compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        ]
    )
    return lambda: lab.ssh(lab.the("db"), PSQL, stdin=script)


def table(rows: list[Row]) -> Table:
    """What was tried, a line for each route and role."""
    shown = Table(title="Another organisation's objects", title_justify="left")
    for column in ("route", "role", "requests", "answers", "verdict"):
        shown.add_column(column, overflow="fold")
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((f"{row.method} {row.route}", row.role), []).append(row)
    for (route, role), same in grouped.items():
        answers = " ".join(f"{status}x{count}" for status, count in sorted(Counter(row.status for row in same).items()))
        verdicts = sorted({row.verdict for row in same})
        shown.add_row(route, role, str(len(same)), answers, " ".join(verdicts))
    return shown
