"""A copy for staging: nobody is in it, and the app works on it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from app.personal_data import EMPTY, RULES
from lab.client import ROOT, Lab
from tests import tenants
from tests.proofs.backups.host import Evidence, backup, idle, must, on_host, sql
from tests.proofs.releasing import options

PASSWORD = "staging-sign-in-7391"
REAL = ROOT.parent / "shared" / "data" / "signupflow.sqlite"
# Rules that put something else in the place of a value.
REPLACED = {"person", "name", "email", "phone", "token", "text", "password"}
# Of tables that are emptied: what is somebody's. The rest are statuses, times and ids that stand elsewhere as well.
SOMEBODYS = {"user_id", "user_email", "email", "name", "token", "phone_number", "message_text", "recipient_id", "person_id"}
# Shorter ones would be found in anything.
SHORTEST = 6


def sanitised(lab: Lab) -> Evidence:
    """What is personal in production is not in the copy; it is in a plain dump of the same database (the control)."""
    idle(lab)
    for _ in range(2):
        tenants.organisation(lab)
    personal = people(lab)
    assert len(personal) >= 4, personal
    sql(lab, "create schema repair; create table repair.people as table public.people")
    refused = on_host(lab, "sh -c 'signupflow-restore sanitised > /root/copy.dump'")
    sql(lab, "drop schema repair cascade")
    assert refused.code == 7, refused
    assert "repair.people: no rules for personal data outside schema public" in refused.error, refused
    done = on_host(lab, "sh -c 'signupflow-restore sanitised --password-stdin > /root/copy.dump'", stdin=f"{PASSWORD}\n")
    assert done.code == 0, done.said[-2000:]
    copy = on_host(lab, "sh -c 'docker exec -i signupflow-postgres pg_restore -f - < /root/copy.dump'").said
    plain = dumped(lab)
    must(on_host(lab, "rm -f /root/copy.dump"))
    found = [value for value in personal if value in copy]
    control = [value for value in personal if value in plain]
    assert len(control) == len(personal), "the search does not find what is there"
    assert not found, found[:5]
    assert "@staging.invalid" in copy
    assert PASSWORD not in copy, "the password itself"
    return {"personal_values": len(personal), "found_in_the_copy": 0, "found_without_sanitising": len(control)}


def people(lab: Lab) -> list[str]:
    """Names, mail addresses and ids of everybody in the database, as a dump writes them."""
    rows = sql(lab, "select id from people union select name from people union select email from people where email is not null")
    return sorted(row for row in rows.splitlines() if len(row) >= SHORTEST)


def dumped(lab: Lab) -> str:
    """The whole database as text."""
    done = on_host(lab, "docker exec -u postgres signupflow-postgres pg_dump -d signupflow")
    assert done.code == 0, done.said[-500:]
    return done.said


def to_staging(production: Lab, staging: Lab) -> Evidence:
    """The real data, from one environment to another: nobody is found in staging, and the app works there for two tenants."""
    real_data(production)
    must(backup(production))
    personal = personal_values(REAL)
    control = dumped(production)
    found_there = [value for value in personal if value in control]
    assert len(found_there) > 0.9 * len(personal), "the search does not find what is there"
    profile = options(profile="staging")
    staging.pyinfra("-y", *profile)
    said = piped(production, staging)
    text = dumped(staging)
    found = [value for value in personal if value in text]
    assert not found, f"{len(found)} of {len(personal)}: {found[:5]}"
    assert sql(staging, "select count(*) from notifications") == "0"
    works = used(staging)
    again = staging.pyinfra("-y", "--json", *profile)
    changes = [row for row in json.loads(again.stdout)["results"]["operations"] if row.get("success")]
    return {
        "personal_values": len(personal),
        "found_in_production": len(found_there),
        "found_in_staging": 0,
        "said": said,
        "tenants": works,
        "changes_of_the_next_deploy": len(changes),
    }


def real_data(lab: Lab) -> None:
    """SignUpFlow's real SQLite file into an empty production, as a cutover does it."""
    argv = [*lab.ssh_command(lab.the("db")), "sudo mkdir -p /root/real && sudo tee /root/real/signupflow.sqlite >/dev/null"]
    subprocess.run(argv, input=REAL.read_bytes(), check=True)
    image = lab.ssh(lab.the("app"), "sudo docker ps --filter label=org.signupflow.app=signupflow --format '{{.Image}}'").split()[
        0
    ]
    mounts = {
        "/opt/signupflow/schema-signupflow/trust": "/etc/signupflow:ro",
        "/etc/signupflow/secrets/schema-signupflow": "/run/secrets:ro",
        "/root/real": "/source:ro",
    }
    flags = " ".join(f"--volume {source}:{target}" for source, target in mounts.items())
    flags += " --env DATABASE_URL_FILE=/run/secrets/DATABASE_URL"
    command = "python -m sqlite_import /source/signupflow.sqlite"
    must(on_host(lab, f"docker run --rm --network signupflow-database --user 0:0 --tmpfs /tmp {flags} {image} {command}"))


def personal_values(path: Path) -> list[str]:
    """Everything of the source that is somebody's, by the rules, each value once."""
    found: set[str] = set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source:
        for table, rule in RULES.items():
            names = [row[1] for row in source.execute(f'pragma table_info("{table}")')]
            for column in names:
                personal = column in SOMEBODYS if rule == EMPTY else isinstance(rule, dict) and rule[column] in REPLACED
                if personal:
                    rows = source.execute(f'select distinct "{column}" from "{table}" where "{column}" is not null')
                    found |= {str(value) for (value,) in rows if len(str(value)) >= SHORTEST}
    assert found
    # As COPY writes them.
    return sorted(value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") for value in found)


def piped(production: Lab, staging: Lab) -> str:
    """What the guide says: from host to host, by the operator's ssh."""
    source = subprocess.Popen(
        [*production.ssh_command(production.the("db")), "sudo signupflow-restore sanitised --password-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert source.stdin
    assert source.stdout
    assert source.stderr
    source.stdin.write(f"{PASSWORD}\n".encode())
    source.stdin.close()
    argv = [*staging.ssh_command(staging.the("db")), "sudo signupflow-restore load"]
    loaded = subprocess.run(argv, stdin=source.stdout, capture_output=True, text=True, check=False)
    source.stdout.close()
    said = source.stderr.read().decode()
    source.stderr.close()
    assert source.wait() == 0, said
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    return loaded.stdout.strip().splitlines()[-1].strip()


def used(lab: Lab) -> dict[str, Any]:
    """Two organisations' administrators sign in by the copy's password, see their own events alone, and make one."""
    query = (
        "select org_id || '|' || min(email) from people"
        " where roles like '%admin%' and email is not null group by org_id order by 1"
    )
    seen: dict[str, set[str]] = {}
    domain = lab["domains"][0]
    for line in sql(lab, query).splitlines()[:2]:
        org, _, email = line.partition("|")
        body = {"organization": org, "email": email, "password": PASSWORD}
        signed_in = lab.https(domain, "/api/v1/sessions", "POST", body)
        assert signed_in.status == 201, signed_in.body
        token = signed_in.json()["access_token"]
        tenants.event(lab, token)
        seen[org] = {item["id"] for item in lab.https(domain, "/api/v1/events", token=token).json()["items"]}
    assert len(seen) == 2
    assert all(seen.values())
    assert not set.intersection(*seen.values()), "tenants stay apart"
    return {org: len(events) for org, events in seen.items()}
